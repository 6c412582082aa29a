"""The faces to other programs: operations, tools, the assistant, and the MCP server."""
