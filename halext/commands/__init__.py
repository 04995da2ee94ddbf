"""What people can say in a chat: each command once. Empty for now."""
