//go:build linux && goexperiment.runtimesecret

package main

import "runtime/secret"

func secretDo(f func()) { secret.Do(f) }
