package main

import (
	"runtime"

	"github.com/fandoghpaas/fandogh/internal/version"
)

func userAgent() string {
	return "fandogh/" + version.String() + " (" + runtime.GOOS + "; " + runtime.GOARCH + ")"
}
