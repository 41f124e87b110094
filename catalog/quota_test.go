package catalog

import "testing"

// What a namespace may have more is decided by its quotas alone: the first that is passed is told, with what is used and what is allowed.
func TestQuota(t *testing.T) {
	const mib = 1 << 20
	const end = "; delete versions or images that it no longer needs, or ask an administrator for more"
	all := Quota{Bytes: 100 * mib, Images: 2, Versions: 10, Builds: 5}
	for _, c := range []struct {
		name       string
		quota      Quota
		used, more Amounts
		want       string // "": allowed
	}{
		{"no quota", Quota{}, Amounts{1 << 60, 1000, 1000, 1000}, Amounts{1 << 60, 1, 1, 1}, ""},
		{"none for this one", Quota{NoQuota, NoQuota, NoQuota, NoQuota}, Amounts{1 << 60, 1000, 1000, 1000}, Amounts{1 << 60, 1, 1, 1}, ""},
		{"room", all, Amounts{50 * mib, 1, 9, 4}, Amounts{50 * mib, 1, 1, 1}, ""},
		{"one byte too many", all, Amounts{50 * mib, 0, 0, 0}, Amounts{50*mib + 1, 0, 0, 0}, "this takes 50MiB, namespace ann uses 50MiB, and its quota is 100MiB" + end},
		{"at the quota, and more is to come", all, Amounts{Bytes: 100 * mib}, Amounts{Bytes: 1}, "namespace ann uses 100MiB, and its quota is 100MiB" + end},
		{"almost", all, Amounts{Bytes: 100*mib - 1}, Amounts{Bytes: 1}, ""},
		{"above, since the quota was lowered", all, Amounts{Bytes: 1536 * mib}, Amounts{Bytes: 1}, "namespace ann uses 1.5GiB, and its quota is 100MiB" + end},
		{"above, with nothing new", all, Amounts{1536 * mib, 3, 11, 6}, Amounts{}, ""},
		{"images", all, Amounts{Images: 2}, Amounts{Images: 1}, "namespace ann has 2 images, with this it would be 3, and its quota is 2; delete some that it no longer needs, or ask an administrator for more"},
		{"versions", all, Amounts{Versions: 9}, Amounts{Versions: 2}, "namespace ann has 9 versions, with this it would be 11, and its quota is 10; delete some that it no longer needs, or ask an administrator for more"},
		{"a rebuild of many versions", all, Amounts{Versions: 10}, Amounts{Builds: 1}, ""},
		{"builds", all, Amounts{Builds: 5}, Amounts{Builds: 1}, "namespace ann asked for 5 builds within a day, with this it would be 6, and its quota is 5; ask again later, or ask an administrator for more"},
		{"what overflows", all, Amounts{}, Amounts{Bytes: 1<<63 - 1}, "this takes 8EiB, namespace ann uses 0B, and its quota is 100MiB" + end},
	} {
		err := c.quota.Check("ann", c.used, c.more)
		if got := errorText(err); got != c.want || err != nil && CodeOf(err) != Forbidden {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got, want := (Quota{Bytes: 5, Images: NoQuota}).Or(all), (Quota{Bytes: 5, Images: NoQuota, Versions: 10, Builds: 5}); got != want {
		t.Errorf("a namespace's and the installation's: %+v", got)
	}
	if err := (Quota{Versions: -2}).Validate(); errorText(err) != "quota_versions must be -1 (no quota), 0 or greater" {
		t.Errorf("%v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return MessageOf(err)
}
