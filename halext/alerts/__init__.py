"""What someone must know: nodes that stay offline, told once and edited when it is over."""
