// All of the C++ interface. To load a program and run it: data_source.h, program.h, method.h,
// xnnpack_backend.h and weight_cache.h; for what is outside its delegates cpu_operators.h; for
// language models language_model.h, generate.h and adapter_pool.h.

#ifndef ONEPACK_ONEPACK_H_
#define ONEPACK_ONEPACK_H_

#include "onepack/adapter_pool.h"
#include "onepack/context_file.h"
#include "onepack/cpu_operators.h"
#include "onepack/data_source.h"
#include "onepack/generate.h"
#include "onepack/key_integrity.h"
#include "onepack/language_model.h"
#include "onepack/method.h"
#include "onepack/named_data_map.h"
#include "onepack/program.h"
#include "onepack/shared_state.h"
#include "onepack/thread_pool.h"
#include "onepack/version.h"
#include "onepack/weight_cache.h"
#include "onepack/xnnpack_backend.h"

#endif  // ONEPACK_ONEPACK_H_
