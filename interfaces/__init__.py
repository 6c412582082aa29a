"""The interfaces for other programs: operations, tools, the assistant, and the MCP server."""
