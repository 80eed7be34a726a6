// write_operators_page CASES PAGE: regenerates docs/operators.md.

#include <stdio.h>

#include <fstream>

#include "tests/conformance/operators_page.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: write_operators_page CASES PAGE\n");
    return 2;
  }
  auto coverage = onepack::CoverageOf(onepack::CasesIn(argv[1]));
  if (!coverage.ok()) {
    fprintf(stderr, "%s\n", coverage.status().message());
    return 1;
  }
  std::ofstream page(argv[2], std::ios::binary);
  page << onepack::OperatorsPage(*coverage);
  page.close();
  if (!page) {
    fprintf(stderr, "%s: cannot be written\n", argv[2]);
    return 1;
  }
  return 0;
}
