// What src/lib.rs exports: Hugging Face's tokenizers, behind the calling conventions of C.
//
// Ownership: texts and ids that a call sets belong to the caller, who frees them.
// Threads: one at a time for each tokenizer.
// Errors: a call that fails says why in `error`, and sets nothing else.

#ifndef ONEPACK_TOOLS_HUGGING_FACE_TOKENIZER_C_INTERFACE_H_
#define ONEPACK_TOOLS_HUGGING_FACE_TOKENIZER_C_INTERFACE_H_

#include <stddef.h>
#include <stdint.h>

extern "C" {

struct HfTokenizer;

// UTF-8, not terminated.
struct HfText {
  char* data;
  size_t size;
};

struct HfIds {
  uint32_t* data;
  size_t size;
};

// By the bytes of a tokenizer.json; nullptr on failure.
HfTokenizer* hf_tokenizer_open(const char* json, size_t size, HfText* error);
void hf_tokenizer_close(HfTokenizer* tokenizer);

// With `add_special_tokens` what the file's post-processor adds, such as bos.
bool hf_tokenizer_encode(const HfTokenizer* tokenizer, const char* text, size_t size,
                         bool add_special_tokens, HfIds* ids, HfText* error);

bool hf_tokenizer_has(const HfTokenizer* tokenizer, uint32_t id);

// Without the text of special tokens and of ids that the tokenizer does not have, and with U+FFFD
// for bytes that form no character.
bool hf_tokenizer_decode(const HfTokenizer* tokenizer, const uint32_t* ids, size_t count,
                         HfText* text, HfText* error);

// What is zero need not be freed.
void hf_text_free(HfText text);
void hf_ids_free(HfIds ids);

}  // extern "C"

#endif  // ONEPACK_TOOLS_HUGGING_FACE_TOKENIZER_C_INTERFACE_H_
