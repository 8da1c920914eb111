"""The only package with sockets, threads and clocks: transport, reader, writer, waits, dispatch, link."""
