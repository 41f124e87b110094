package buildkit

import "github.com/moby/buildkit/util/archutil"

// testPrograms do nothing, for the platforms that need an emulator here. They are gzipped.
var testPrograms = map[string]string{
	"386":      archutil.Binary386,
	"arm":      archutil.Binaryarm,
	"arm64":    archutil.Binaryarm64,
	"loong64":  archutil.Binaryloong64,
	"mips64":   archutil.Binarymips64,
	"mips64le": archutil.Binarymips64le,
	"ppc64":    archutil.Binaryppc64,
	"ppc64le":  archutil.Binaryppc64le,
	"riscv64":  archutil.Binaryriscv64,
	"s390x":    archutil.Binarys390x,
}
