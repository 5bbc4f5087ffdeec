"""What is special about storing users, conversations, messages, imports and participants."""
