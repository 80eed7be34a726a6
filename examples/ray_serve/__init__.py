"""OpenAI's API over replicas on one machine or several, by Ray Serve."""
