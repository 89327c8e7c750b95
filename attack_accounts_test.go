package main

// accountAttacks are the rows about accounts, parsing, transport and secrets.
var accountAttacks []attack
