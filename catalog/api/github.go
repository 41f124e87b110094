package api

// ConnectGitHub connects an image to a repository, or changes the connection.
// What is left out, or null, stays as it is.
type ConnectGitHub struct {
	Repository string  `json:"repository"`           // "owner/name" or its address
	Secret     *string `json:"secret,omitempty"`     // of the webhook; left out at first: one is made
	Token      *string `json:"token,omitempty"`      // for private repositories and commit statuses; "": none
	DeployKey  *string `json:"deploy_key,omitempty"` // SSH private key; "": none
	Tags       *string `json:"tags,omitempty"`       // patterns with blanks between them; left out at first: "v*"
	Branches   *string `json:"branches,omitempty"`   // patterns; each push builds <branch>-<commit>
	Paths      *string `json:"paths,omitempty"`      // patterns; build only when such a file changed
	Context    *string `json:"context,omitempty"`    // directory to build in
}

// GitHub is an image's connection. Secret is there only in the answer to the
// request that made or set it.
type GitHub struct {
	Repository string           `json:"repository"`
	ID         int64            `json:"repository_id,omitempty"` // GitHub's number of it; left out until it is known
	Former     string           `json:"former,omitempty"`        // its name before it was renamed
	WebhookURL string           `json:"webhook_url"`             // the payload URL on GitHub's side
	Secret     string           `json:"secret,omitempty"`
	Access     string           `json:"access"` // token, deploy key, app or public
	Tags       string           `json:"tags"`
	Branches   string           `json:"branches"`
	Paths      string           `json:"paths"`
	Context    string           `json:"context"`
	CreatedAt  Time             `json:"created_at"`
	Refs       []GitHubRef      `json:"refs"`       // newest first
	Deliveries []GitHubDelivery `json:"deliveries"` // newest first
}

// GitHubRef is a branch or tag and what was made of it.
type GitHubRef struct {
	Ref     string `json:"ref"`     // "refs/tags/v1.0"
	Commit  string `json:"commit"`  // hex; empty when it was deleted on GitHub
	Version string `json:"version"` // empty when none was made
	Note    string `json:"note"`
	At      Time   `json:"at"`
}

// GitHubDelivery is a delivery of the last week.
type GitHubDelivery struct {
	ID       string `json:"id"`    // GitHub's
	State    string `json:"state"` // waiting, running, done or failed
	Attempts int    `json:"attempts"`
	Answer   string `json:"answer"`
	At       Time   `json:"at"`
}

// CreateWebhook names an address that is told of events.
type CreateWebhook struct {
	URL    string `json:"url"`
	Secret string `json:"secret,omitempty"` // signs what is sent; empty: one is made
	Events string `json:"events,omitempty"` // with blanks between them; empty: all that there are
}

// Webhook is an address that is told of events. Secret is there only in the
// answer to the request that made it.
type Webhook struct {
	ID        int64  `json:"id"`
	URL       string `json:"url"`
	Events    string `json:"events"`
	Secret    string `json:"secret,omitempty"`
	CreatedAt Time   `json:"created_at"`
}

// WebhookDelivery is what was sent within the last week.
type WebhookDelivery struct {
	ID       int64  `json:"id"`
	Delivery string `json:"delivery"` // the X-Fandogh-Delivery header
	State    string `json:"state"`    // waiting, running, done or failed
	Attempts int    `json:"attempts"`
	Answer   string `json:"answer"` // to the last attempt
	At       Time   `json:"at"`
}

// Event is something that happened to a version, an image or a namespace.
type Event struct {
	ID        int64  `json:"id"`
	Event     string `json:"event"` // version.created or .deleted, build.queued, .started or .finished, image.created, .deleted or .transferred, member.changed
	At        Time   `json:"at"`
	Namespace string `json:"namespace"`
	Image     string `json:"image"`   // name; empty for member.changed
	Version   string `json:"version"` // of version and build events
	State     string `json:"state"`
	Commit    string `json:"commit"`
	Digest    string `json:"digest"`
	Build     int    `json:"build"` // its number; 0 for events of no build
	Trigger   string `json:"trigger"`
	Outcome   string `json:"outcome"` // of build.finished
	Message   string `json:"message"`
	Member    string `json:"member"`         // of member.changed: whose role
	Role      string `json:"role"`           // of member.changed: read, write or admin; empty: no member any more
	From      string `json:"from,omitempty"` // of image.transferred: which image it was, "namespace/name"
	To        string `json:"to,omitempty"`   // of image.transferred: which image it is
}
