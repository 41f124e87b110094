package repository

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

func TestCommitsSinceIsGits(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	c := newWorkTree(t)
	c.at(0, "commit", "-q", "--allow-empty", "-m", "0")
	for n := 1; n < 30; n++ {
		c.grow(random, n)
		c.git("tag", fmt.Sprintf("t%d", n))
	}
	c.pushed()
	for range 40 {
		older, newer := fmt.Sprintf("t%d", 1+random.IntN(29)), fmt.Sprintf("t%d", 1+random.IntN(29))
		found, more, err := c.repos.CommitsSince(t.Context(), imageRef, c.git("rev-parse", older), c.git("rev-parse", newer), 100)
		var got []string
		for _, one := range found {
			got = append(got, one.ID)
		}
		if want := c.git("log", "--format=%H", "--date-order", older+".."+newer); strings.Join(got, "\n") != want || more || err != nil {
			t.Errorf("%s..%s: %v, %v, %v, want %s", older, newer, got, more, err, want)
		}
	}
}

func TestCommitsSince(t *testing.T) {
	c := newWorkTree(t)
	c.at(0, "commit", "-q", "--allow-empty", "-m", "first")
	first := c.git("rev-parse", "HEAD")
	c.at(1, "commit", "-q", "--allow-empty", "--author", "a (b) <a@b>", "-m", "\n\nthe <b>subject\nand more\n")
	second := c.git("rev-parse", "HEAD")
	c.at(2, "commit", "-q", "--allow-empty", "-m", strings.Repeat("x", 1000))
	c.pushed()
	ask := func(since, until string, limit int) ([]catalog.CommitInfo, bool) {
		t.Helper()
		found, more, err := c.repos.CommitsSince(t.Context(), imageRef, since, until, limit)
		if err != nil {
			t.Fatal(err)
		}
		return found, more
	}
	found, more := ask(first, second, 1)
	testkit.Same(t, "a commit", found, []catalog.CommitInfo{{ID: second, Author: "a (b)", Subject: "the <b>subject", Time: time.Date(2024, 5, 6, 0, 1, 0, 0, time.UTC)}})
	if more {
		t.Error("there are more")
	}
	if found, more = ask(first, c.git("rev-parse", "HEAD"), 1); len(found) != 1 || len(found[0].Subject) != maxSubject || !more {
		t.Errorf("the newest of two: %+v, %v", found, more)
	}
	if found, _ = ask(second, first, 10); len(found) != 0 {
		t.Errorf("backwards: %+v", found)
	}
	if _, _, err := c.repos.CommitsSince(t.Context(), imageRef, strings.Repeat("1", 40), first, 1); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("since what is not there: %v", err)
	}
}
