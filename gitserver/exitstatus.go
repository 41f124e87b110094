package gitserver

import "github.com/fandoghpaas/fandogh/catalog"

// exitCodes are what an SSH command exits with, by its error's code.
var exitCodes = map[catalog.Code]int{
	catalog.Invalid:      2,
	catalog.Unauthorized: 77,
	catalog.Forbidden:    77,
	catalog.NotFound:     66,
	catalog.Moved:        66,
	catalog.Conflict:     73,
	catalog.TooLarge:     78,
	catalog.RateLimited:  75,
	catalog.Unavailable:  75,
	catalog.Internal:     70,
}

func exitStatus(err error) int {
	if err == nil {
		return 0
	}
	return exitCodes[catalog.CodeOf(err)]
}
