package buildkit

import (
	"context"
	"regexp"
	"time"

	"github.com/moby/buildkit/client"
)

// lostCache is how BuildKit says that its cache lacks what a record of it names, as when the disk was full while it was written.
var lostCache = regexp.MustCompile(`(?i)snapshot( \S+)? does not exist|content digest \S+: not found`)

// recordID is what BuildKit calls a record of its cache.
var recordID = regexp.MustCompile(`\b[a-z0-9]{25}\b`)

// forgetTimeout bounds how long a build that failed waits for its BuildKit to forget.
const forgetTimeout = 30 * time.Second

// forgetLost has BuildKit remove the records that it names when it says that it lost what is in them. Every build of their step would find
// them, and fail, until it starts again. Others that it is told to remove, by a text of the user's, are cache all the same.
func (b *build) forgetLost(ctx context.Context, c *client.Client, failure error) {
	text := unquoted(failure.Error())
	if !lostCache.MatchString(text) {
		return
	}
	var named client.Filter
	for _, id := range recordID.FindAllString(text, -1) {
		named = append(named, "id=="+id)
	}
	if len(named) == 0 {
		return // without a filter all would go
	}
	ctx, cancel := context.WithTimeout(ctx, forgetTimeout)
	defer cancel()
	if err := c.Prune(ctx, nil, named, client.PruneAll); err != nil {
		b.log.Error("failed to remove records of the build cache, of which BuildKit lost what is in them", "records", named, "failure", failure, "error", err)
		return
	}
	b.log.Warn("removed records of the build cache, of which BuildKit lost what is in them; their step is run again", "records", named, "failure", failure)
}
