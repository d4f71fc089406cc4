//go:build linux && !goexperiment.runtimesecret

package main

import "log"

func secretDo(func()) { log.Fatal("this program was built without GOEXPERIMENT=runtimesecret") }
