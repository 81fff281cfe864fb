"""What is trusted by how it came out: sectors, rules and the operator's vetoes, each on trial beside a control arm."""
