package buildkit

import (
	"testing"
)

func TestSolvePushesAnImage(t *testing.T) {
	tree := newTree(map[string]string{
		"Dockerfile": busyboxImage + "COPY hello.txt /\nRUN echo built > /built.txt && echo shown\n",
		"hello.txt":  "hello\n",
	}).withBusybox()
	r := request("ann", "first", "1.0", tree)
	result, log := solve(t, r)
	t.Log(log)
	t.Log(result)
	if got := imageFile(t, r, "hello.txt"); got != "hello\n" {
		t.Errorf("hello.txt holds %q", got)
	}
	if got := imageFile(t, r, "built.txt"); got != "built\n" {
		t.Errorf("built.txt holds %q", got)
	}
}
