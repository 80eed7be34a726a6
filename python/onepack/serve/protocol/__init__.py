"""What clients send and get, as OpenAI's API has it."""
