package httpapi

import (
	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/node"
)

// clusterBody is node.ClusterStatus on the wire. Times are seconds.
type clusterBody struct {
	Cluster     string       `json:"cluster"`
	Node        string       `json:"node"`
	RingVersion string       `json:"ring_version"`
	Partitions  int          `json:"partitions"`
	Unowned     int          `json:"unowned"`
	Settling    int          `json:"settling"`
	Pending     int          `json:"pending"`
	PendingAge  float64      `json:"pending_age_seconds"`
	StoreOK     bool         `json:"store_ok"`
	Members     []memberBody `json:"members"`
}

// memberBody is node.MemberStatus on the wire.
type memberBody struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	HTTPAddr   string  `json:"http"`
	PeerAddr   string  `json:"peer"`
	GossipAddr string  `json:"gossip"`
	Self       bool    `json:"self"`
	Alive      bool    `json:"alive"`
	Draining   bool    `json:"draining"`
	LeaseLeft  float64 `json:"lease_seconds_left"`
	Owned      int     `json:"owned"`
	Wanted     int     `json:"wanted"`
}

// cluster answers GET /api/v1/cluster.
func (s *Server) cluster(ctx *fasthttp.RequestCtx) {
	body, err := json.Marshal(struct {
		Data clusterBody `json:"data"`
	}{bodyOf(s.service.Cluster())})
	if err != nil {
		s.failed(ctx, routeCluster, err)
		return
	}
	ctx.Response.Header.Set("Cache-Control", "no-store")
	writeJSON(ctx, fasthttp.StatusOK, body)
}

func bodyOf(c node.ClusterStatus) clusterBody {
	members := make([]memberBody, len(c.Members))
	for i, m := range c.Members {
		members[i] = memberBody{
			ID: m.ID, Name: m.Name, HTTPAddr: m.HTTPAddr, PeerAddr: m.PeerAddr, GossipAddr: m.GossipAddr,
			Self: m.Self, Alive: m.Alive, Draining: m.Draining, LeaseLeft: m.LeaseLeft.Seconds(),
			Owned: m.Owned, Wanted: m.Wanted,
		}
	}
	return clusterBody{
		Cluster: c.Cluster, Node: c.Node, RingVersion: c.RingVersion, Partitions: c.Partitions, Unowned: c.Unowned,
		Settling: c.Settling, Pending: c.Pending, PendingAge: c.PendingAge.Seconds(), StoreOK: c.StoreOK, Members: members,
	}
}
