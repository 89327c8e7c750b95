// Pocketbase is PocketBase as its documentation has it, for bench to measure beside
// shelf. It is a module of its own, so that only bench downloads PocketBase.
package main

import (
	"log"

	"github.com/pocketbase/pocketbase"
)

func main() {
	if err := pocketbase.New().Start(); err != nil {
		log.Fatal(err)
	}
}
