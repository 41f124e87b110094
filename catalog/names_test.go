package catalog

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func wantCode(t *testing.T, what string, err error, code Code) {
	t.Helper()
	if got := CodeOf(err); got != code {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, code)
	}
}

func TestNames(t *testing.T) {
	ok, bad := Code(""), Invalid
	for _, c := range []struct {
		name                          string
		image, namespace, user, versn Code
	}{
		{"app", ok, ok, ok, ok},
		{"a", ok, ok, ok, ok},
		{"7", ok, ok, ok, ok},
		{"my-app_2", ok, ok, ok, ok},
		{"a--b", ok, ok, ok, ok},
		{"a__b", ok, ok, ok, ok},
		{"a___b", bad, bad, bad, ok},
		{"a-_b", bad, bad, bad, ok},
		{"App", ok, bad, bad, ok},
		{"v1.0", bad, bad, bad, ok},
		{"", bad, bad, bad, bad},
		{"-a", bad, bad, bad, bad},
		{"a-", bad, bad, bad, ok},
		{"_a", bad, bad, bad, ok},
		{"a_", bad, bad, bad, ok},
		{".a", bad, bad, bad, bad},
		{"a.", bad, bad, bad, bad},
		{"..", bad, bad, bad, bad},
		{"a..b", bad, bad, bad, bad},
		{"a.lock", bad, bad, bad, bad},
		{"a/b", bad, bad, bad, bad},
		{"../a", bad, bad, bad, bad},
		{"a b", bad, bad, bad, bad},
		{"a\n", bad, bad, bad, bad},
		{"a\x00", bad, bad, bad, bad},
		{"a:b", bad, bad, bad, bad},
		{"a@b", bad, bad, bad, bad},
		{"a^", bad, bad, bad, bad},
		{"%2e%2e", bad, bad, bad, bad},
		{"é", bad, bad, bad, bad},
		{strings.Repeat("x", 100), ok, ok, ok, ok},
		{strings.Repeat("x", 101), bad, bad, bad, ok},
		{strings.Repeat("x", 128), bad, bad, bad, ok},
		{strings.Repeat("x", 129), bad, bad, bad, bad},
	} {
		wantCode(t, "image "+c.name, ValidateImageName(c.name), c.image)
		wantCode(t, "namespace "+c.name, ValidateNamespace(c.name), c.namespace)
		wantCode(t, "user "+c.name, ValidateUserName(c.name), c.user)
		wantCode(t, "version "+c.name, ValidateVersion(c.name), c.versn)
	}
}

func TestNameErrorsNameTheirField(t *testing.T) {
	for field, err := range map[string]error{
		"name": ValidateImageName("a b"), "namespace": ValidateNamespace("A"), "username": ValidateUserName("A"), "version": ValidateVersion("-"),
	} {
		var e *Error
		if !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: got %+v", field, err)
		}
	}
}

func TestImageRef(t *testing.T) {
	ref := ImageRef{Namespace: "ann", Name: "My-App"}
	if ref.String() != "ann/My-App" || ref.Repository() != "ann/my-app" {
		t.Errorf("got %s and %s", ref, ref.Repository())
	}
	wantCode(t, "good", ref.Validate(), "")
	wantCode(t, "namespace", ImageRef{"Ann", "app"}.Validate(), Invalid)
	wantCode(t, "name", ImageRef{"ann", "a/b"}.Validate(), Invalid)
}

// FuzzValidateVersion asks git itself whether a valid version can be a tag.
func FuzzValidateVersion(f *testing.F) {
	git, err := exec.LookPath("git")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"v1.0", "a.lock", "x..y", "@", "-", "a.", "_", "HEAD", "a.lock.b", "a@{b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, version string) {
		if ValidateVersion(version) != nil {
			return
		}
		if err := exec.Command(git, "check-ref-format", "refs/tags/"+version).Run(); err != nil {
			t.Errorf("%q is taken for a version, and git refuses the tag", version)
		}
	})
}
