package node

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pinocchio-nose/pinocchio/gossip"
	"github.com/pinocchio-nose/pinocchio/internal/certs"
	"github.com/pinocchio-nose/pinocchio/internal/seal"
)

// auth is what a node knows about who may talk to it (R13). Without a secret everything is accepted.
type auth struct {
	keys    *seal.Keys
	taken   *seal.Window // questions of other nodes that were taken
	numbers seal.Numbers // of this node's questions
	tls     certs.Mutual // zero: connections are not encrypted

	mu      sync.Mutex
	secrets [][]byte       // the present ones
	gossip  *gossip.Gossip // nil until it exists
}

func newAuth(secrets [][]byte, tls certs.Mutual, alive func(seal.ID) bool) (*auth, error) {
	keys, err := seal.NewKeys(secrets)
	if err != nil {
		return nil, err
	}
	return &auth{keys: keys, tls: tls, taken: seal.NewWindow(alive), secrets: secrets}, nil
}

// isMember tells whether a process may be there, by the last round.
func (n *Node) isMember(id seal.ID) bool {
	w := n.world.Load()
	return w != nil && w.members[id] != nil
}

var errNoSecrets = errors.New("whether there is a secret is fixed at the start: restart the node")

// SetSecrets replaces the cluster's secrets while the node runs: the first one signs and encrypts, all are accepted. Messages between
// nodes and gossip change at once; what is under way is still answered with the secret that it was signed with. So a secret is replaced
// without a restart in three steps, each on all nodes before the next: [old new], [new old], [new]. An error changes nothing:
// a secret is too short, or the node was started without any, or there would be none left.
func (n *Node) SetSecrets(secrets [][]byte) error {
	a := n.auth
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(secrets) == 0 || len(a.secrets) == 0 {
		return errNoSecrets
	}
	keys, err := gossipKeys(secrets)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(secrets, func(s []byte) bool {
		return slices.ContainsFunc(a.secrets, func(o []byte) bool { return bytes.Equal(s, o) })
	}) {
		n.log.Warn("all secrets were replaced at once: this node is a stranger to all that do not have a new one yet")
	}
	if a.gossip != nil {
		if err := a.gossip.SetKeys(keys); err != nil {
			return err
		}
	}
	if err := a.keys.Replace(secrets); err != nil {
		return err
	}
	a.secrets = secrets
	n.log.Info("the cluster's secrets were replaced", "count", len(secrets))
	return nil
}

// join makes gossip with the keys of the present secrets, and keeps it at that.
func (a *auth) join(cfg gossip.Config) (*gossip.Gossip, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	keys, err := gossipKeys(a.secrets)
	if err != nil {
		return nil, err
	}
	cfg.Keys = keys
	a.gossip, err = gossip.New(cfg)
	return a.gossip, err
}

// gossipKeys derives gossip's keys, which are others than those of the messages.
func gossipKeys(secrets [][]byte) (keys [][]byte, err error) {
	for i, s := range secrets {
		key, err := gossip.DeriveKey(s)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
