"""How a question's tokens are asked for: the policies beside budget forcing, and which one a question gets."""
