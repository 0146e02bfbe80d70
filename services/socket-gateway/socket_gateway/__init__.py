"""Live channels for authenticated clients over Socket.IO. Only `socket_gateway.boot` knows about eventlet."""
