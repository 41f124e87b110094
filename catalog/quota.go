package catalog

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Amounts are what a namespace has, or would have more, of what there are quotas for.
type Amounts struct {
	Bytes    int64 // on disk, as NamespaceUsage has them; of what is to come, at least 1 where it is not known yet
	Images   int
	Versions int // in any state
	Builds   int // that are asked for within a day
}

// Quota is how much a namespace may have of each. 0: any amount, or, of what is set for one namespace, what all may have; NoQuota: any
// amount.
type Quota Amounts

// QuotaDay is the time within which builds count.
const QuotaDay = 24 * time.Hour

// NoQuota stands for any amount where another would be for all namespaces.
const NoQuota = -1

// Or returns q with what it leaves open taken from others.
func (q Quota) Or(others Quota) Quota {
	return Quota{
		Bytes: cmp.Or(q.Bytes, others.Bytes), Images: cmp.Or(q.Images, others.Images),
		Versions: cmp.Or(q.Versions, others.Versions), Builds: cmp.Or(q.Builds, others.Builds),
	}
}

// Validate refuses what is no quota. Errors: Invalid.
func (q Quota) Validate() error {
	for _, part := range q.parts(Amounts{}, Amounts{}) {
		if part.most < NoQuota {
			field := "quota_" + part.field
			return FieldErrorf(field, "%s must be -1 (no quota), 0 or greater", field)
		}
	}
	return nil
}

// quotaPart is one amount beside its quota.
type quotaPart struct {
	field            string
	used, more, most int64
	refusal          string // with used, what it would be, and most
}

func (q Quota) parts(used, more Amounts) []quotaPart {
	return []quotaPart{
		{"bytes", used.Bytes, more.Bytes, q.Bytes, ""},
		{"images", int64(used.Images), int64(more.Images), int64(q.Images), "has %d images, with this it would be %d, and its quota is %d"},
		{"versions", int64(used.Versions), int64(more.Versions), int64(q.Versions), "has %d versions, with this it would be %d, and its quota is %d"},
		{"builds", int64(used.Builds), int64(more.Builds), int64(q.Builds), "asked for %d builds within a day, with this it would be %d, and its quota is %d"},
	}
}

// Check refuses more than a namespace may have: what it has already, and what takes nothing more, is never refused. Errors: Forbidden.
func (q Quota) Check(namespace string, used, more Amounts) error {
	for _, part := range q.parts(used, more) {
		if part.more <= 0 || part.most <= 0 || part.used <= part.most-part.more {
			continue
		}
		switch {
		case part.field == "bytes" && part.more == 1:
			return Errorf(Forbidden, "namespace %s uses %s, and its quota is %s; delete versions or images that it no longer needs, or ask an administrator for more", namespace, shortBytes(part.used), shortBytes(part.most))
		case part.field == "bytes":
			return Errorf(Forbidden, "this takes %s, namespace %s uses %s, and its quota is %s; delete versions or images that it no longer needs, or ask an administrator for more",
				shortBytes(part.more), namespace, shortBytes(part.used), shortBytes(part.most))
		case part.field == "builds":
			return Errorf(Forbidden, "namespace %s "+part.refusal+"; ask again later, or ask an administrator for more", namespace, part.used, part.used+part.more, part.most)
		}
		return Errorf(Forbidden, "namespace %s "+part.refusal+"; delete some that it no longer needs, or ask an administrator for more", namespace, part.used, part.used+part.more, part.most)
	}
	return nil
}

// shortBytes writes bytes for a person: 1.5GiB.
func shortBytes(n int64) string {
	size, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for size >= 1024 && len(units) > 1 {
		size, units = size/1024, units[1:]
	}
	text := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", size), "0"), ".")
	return text + units[0]
}
