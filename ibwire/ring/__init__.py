"""Where decoded messages wait for their consumers: record layouts, rings and the stream decoder, in plain Python."""
