"""How CXone is spoken with: tokens, sockets, REST, and what differs between tenants."""
