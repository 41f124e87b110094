package rest

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/requests"
)

func (c *call) signingKeys() ([]api.SigningKey, error) {
	keys, err := c.server.config.Keys.ListSigningKeys()
	return convertAll(keys, func(k catalog.InstallationKey) api.SigningKey {
		return api.SigningKey{Fingerprint: k.Fingerprint, PublicKey: k.PEM}
	}), err
}

// origin shows what the repository has of a version, for who checks it.
func (c *call) origin() (api.Origin, error) {
	image, version, err := c.version()
	if err != nil {
		return api.Origin{}, err
	}
	if version.Commit == "" {
		return api.Origin{}, catalog.Errorf(catalog.Conflict, "version %q was pushed as an image, so it has no commit", version.Name)
	}
	o, err := c.server.config.Origins.Origin(c.r.Context(), image.Source, version.Tag, version.Commit)
	if err != nil {
		return api.Origin{}, err
	}
	return api.Origin{Object: o.Object, Tags: convertAll(o.Tags, gitObjectOf), Commit: gitObjectOf(o.Commit), Tree: gitObjectOf(o.Tree)}, nil
}

// sbom shows what is in a version's image.
func (c *call) sbom() (json.RawMessage, error) {
	image, version, err := c.version()
	if err != nil {
		return nil, err
	}
	return c.server.config.SBOMs.SBOM(c.r.Context(), image, version, c.r.URL.Query().Get("platform"))
}

func gitObjectOf(o catalog.GitObject) api.GitObject {
	return api.GitObject{ID: o.ID, Content: o.Content}
}

// compare builds a version again and streams what that says, line by line. The last event, end, has what came of it.
func (c *call) compare() error {
	image, version, err := c.version()
	if err != nil {
		return err
	}
	if err := version.CheckRebuilt(); err != nil {
		return err
	}
	c.audit("version built again", "image", image.Ref, "version", version.Name)
	stream := requests.OpenEvents(c.w, c.stillAllowed)
	defer stream.Close()
	ctx, stop := context.WithCancel(c.r.Context())
	defer stop()
	line := 0
	made, err := c.server.config.Comparisons.Compare(ctx, image, version, func(text string) {
		var b strings.Builder
		line++
		requests.WriteEvent(&b, "", strconv.Itoa(line), text)
		if stream.Send(b.String()) != nil {
			stop() // nobody listens
		}
	})
	end := api.Comparison{Digest: version.Digest, Rebuilt: made.Rebuilt, Differences: convertAll(made.Differences, differenceOf), More: made.More}
	if err != nil {
		end.Error = catalog.MessageOf(err)
		if catalog.CodeOf(err) == catalog.Internal && ctx.Err() == nil {
			requests.Logger(c.r.Context()).Error("failed to compare a version", "image", image.Ref, "version", version.Name, "error", err)
		}
	}
	data, err := json.Marshal(end)
	if err == nil {
		var b strings.Builder
		requests.WriteEvent(&b, "end", "", string(data))
		err = stream.Send(b.String())
	}
	if err != nil {
		requests.Logger(c.r.Context()).Debug("comparison interrupted", "image", image.Ref, "version", version.Name, "error", err)
	}
	return nil
}

func differenceOf(d catalog.Difference) api.Difference {
	return api.Difference{Platform: d.Platform, Layer: d.Layer, Name: d.Name, What: d.What}
}
