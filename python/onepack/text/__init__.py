"""Text for language models: tokenizers, chat templates, and decoding of tokens as they come.

    tokenizer = onepack.text.Tokenizer.open("models/qwen")
    decoder = onepack.text.StreamDecoder(tokenizer)
    prompt = tokenizer.encode_chat([{"role": "user", "content": "Hello"}])
    for token in model.generate(prompt, stop_tokens=tokenizer.eos_ids):
        print(decoder.add(token), end="", flush=True)
    print(decoder.finish())

What it needs is installed by ``pip install 'onepack[text]'``.
"""

from onepack.text.chat import ChatTemplate
from onepack.text.stream import StreamDecoder
from onepack.text.tokenizer import Tokenizer

__all__ = ["ChatTemplate", "StreamDecoder", "Tokenizer"]
