//go:build linux

// Command memory counts the copies of a secret in the memory of a process. It
// does so in service, after many refreshes, and after Close. It starts that
// process, serves it a secret that it has never seen, and searches its memory by
// /proc.
//
//	go run ./internal/memory
//	GOEXPERIMENT=runtimesecret go run ./internal/memory -do
//
// With -do requests happen within runtime/secret.Do, which a Go toolchain has with that
// experiment on linux/amd64 and linux/arm64.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	within := flag.Bool("do", false, "ask the service within runtime/secret.Do")
	url := flag.String("read", "", "be the process that reads, from the service at this `URL`")
	flag.Parse()
	if *url != "" {
		read(*url, *within)
		return
	}
	args := []string{}
	if *within {
		args = append(args, "-do")
	}
	counts, err := measure(os.Args[0], args)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range counts {
		fmt.Printf("%-40s %d copies\n", c.when, c.copies)
	}
}
