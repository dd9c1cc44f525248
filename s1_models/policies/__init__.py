"""How a question's tokens are asked for: the policies beside budget forcing, and which one a question gets.

May import the five files at the front door of s1_models (forcing, formats, options) and the contract.
"""
