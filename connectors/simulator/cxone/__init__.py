"""What CXone's stand-ins share: tokens, and the sockets that frames go out on."""
