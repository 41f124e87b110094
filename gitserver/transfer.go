package gitserver

import (
	"context"
	"errors"

	"github.com/fandoghpaas/fandogh/catalog"
)

// transferVerbs are commands of servers that transfer images.
var transferVerbs = []verb{
	{"transfer", "IMAGE NAMESPACE", "give an image to another namespace, with all that are built from its repository", 2, catalog.ActionManage, nil, (*client).transfer},
}

func (c *client) transfer(ctx context.Context, ref catalog.ImageRef, args []string) error {
	image, err := c.server.config.Store.Image(ctx, ref)
	if err == nil {
		err = catalog.AuthorizeTransfer(ctx, c.server.config.Store, c.id, image.Ref, args[1])
	}
	if err != nil {
		return err
	}
	moves, err := c.server.config.Transfers.Transfer(ctx, image, args[1])
	for _, m := range moves {
		err = errors.Join(err, c.say("Image %s is %s now.", m.From, m.To))
	}
	return err
}
