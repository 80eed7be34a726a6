#include "delegate/xnn/executorch_xnnpack.h"
#define FACTS_OF FactsOfOurHeader
#include "tests/delegate/xnn/interface_facts.inc"
