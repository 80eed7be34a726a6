/* The least that an application does: one program over its data file.

       small PROGRAM DATA */

#include <onepack/c_api.h>
#include <stdio.h>
#include <stdlib.h>

static onepack_status first_output(onepack_method* method, float* y, char** message) {
  onepack_value value;
  onepack_value_init(&value);
  onepack_status status = onepack_method_input(method, 0, &value, message);
  if (status != ONEPACK_OK) return status;
  float* ones = malloc(value.size_bytes);
  if (ones == NULL) return ONEPACK_RESOURCE_EXHAUSTED;
  for (size_t i = 0; i < value.size_bytes / sizeof(float); ++i) ones[i] = 1;
  value.data = ones;
  status = onepack_method_set_input(method, 0, &value, message);
  free(ones);
  if (status == ONEPACK_OK) status = onepack_method_execute(method, message);
  if (status == ONEPACK_OK) status = onepack_method_output(method, 0, &value, message);
  if (status == ONEPACK_OK) *y = *(const float*)value.data;
  return status;
}

int main(int argc, char** argv) {
  onepack_engine* engine = NULL;
  onepack_program* program = NULL;
  onepack_data* data = NULL;
  onepack_method* method = NULL;
  onepack_load_options options;
  char* message = NULL;
  float y = 0;
  if (argc != 3) return 2;
  onepack_load_options_init(&options);
  options.data = &data;
  options.data_count = 1;
  onepack_status status = onepack_engine_create(NULL, &engine, &message);
  if (status == ONEPACK_OK) status = onepack_program_open(argv[1], &program, &message);
  if (status == ONEPACK_OK) status = onepack_data_open(argv[2], &data, &message);
  if (status == ONEPACK_OK)
    status = onepack_method_load(engine, program, &options, &method, &message);
  if (status == ONEPACK_OK) status = first_output(method, &y, &message);
  printf("%s %g\n", message == NULL ? "" : message, y);
  onepack_message_free(message);
  onepack_method_release(method);
  onepack_data_release(data);
  onepack_program_release(program);
  onepack_engine_release(engine);
  return status == ONEPACK_OK ? 0 : 1;
}
