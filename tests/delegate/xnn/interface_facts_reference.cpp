#include <xnnpack.h>
#define FACTS_OF FactsOfTheReferenceHeader
#include "tests/delegate/xnn/interface_facts.inc"
