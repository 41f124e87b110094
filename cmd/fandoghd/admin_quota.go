package main

import (
	"strconv"

	"github.com/spf13/pflag"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// noQuota is how any amount is written.
const noQuota = "none"

// quotaFlags are quotas as they are given, "" where they are not.
type quotaFlags struct{ bytes, images, versions, builds string }

func addQuotaFlags(flags *pflag.FlagSet) *quotaFlags {
	q := &quotaFlags{}
	flags.StringVar(&q.bytes, "quota-bytes", "", "`bytes` on disk that the namespace may take, as 20GiB, or none")
	flags.StringVar(&q.images, "quota-images", "", "`images` that it may have, or none")
	flags.StringVar(&q.versions, "quota-versions", "", "`versions` that it may have, or none")
	flags.StringVar(&q.builds, "quota-builds", "", "`builds` that it may ask for within a day, or none")
	return q
}

// parse reads what is given.
func (q *quotaFlags) parse(to *catalog.Quota) error {
	switch q.bytes {
	case "":
	case noQuota:
		to.Bytes = catalog.NoQuota
	default:
		n, err := config.ParseSize(q.bytes)
		if err != nil {
			return usage.Error{Err: err}
		}
		to.Bytes = int64(n)
	}
	for _, count := range []struct {
		flag, text string
		to         *int
	}{{"quota-images", q.images, &to.Images}, {"quota-versions", q.versions, &to.Versions}, {"quota-builds", q.builds, &to.Builds}} {
		n, err := strconv.Atoi(count.text)
		switch {
		case count.text == "":
		case count.text == noQuota:
			*count.to = catalog.NoQuota
		case err != nil || n < 0:
			return usage.Errorf("--%s %q is not a valid number; write a number, or none", count.flag, count.text)
		default:
			*count.to = n
		}
	}
	return nil
}
