"""Interfaces for programs and people: Python, tools, chat, MCP, HTTP, and the console's pages."""
