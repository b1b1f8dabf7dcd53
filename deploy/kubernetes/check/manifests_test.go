package check

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// manifests are what the file holds.
type manifests struct {
	services map[string]core.Service
	budget   policy.PodDisruptionBudget
	set      apps.StatefulSet
}

// read decodes every document of a file. A field that Kubernetes does not know is an error.
func read(text []byte) (manifests, error) {
	m := manifests{services: map[string]core.Service{}}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var kind meta.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return m, err
		}
		var err error
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 Service":
			var s core.Service
			err = yaml.UnmarshalStrict(document, &s)
			m.services[s.Name] = s
		case "policy/v1 PodDisruptionBudget":
			err = yaml.UnmarshalStrict(document, &m.budget)
		case "apps/v1 StatefulSet":
			err = yaml.UnmarshalStrict(document, &m.set)
		default:
			err = fmt.Errorf("there is no check of %s %s", kind.APIVersion, kind.Kind)
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// faults says where one manifest names what another does not have.
func (m manifests) faults() (all []string) {
	bad := func(cond bool, format string, args ...any) {
		if cond {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	pod := m.set.Spec.Template
	selects := func(selector map[string]string) bool {
		for name, value := range selector {
			if pod.Labels[name] != value {
				return false
			}
		}
		return len(selector) > 0
	}
	peers, found := m.services[m.set.Spec.ServiceName]
	bad(!found || peers.Spec.ClusterIP != core.ClusterIPNone || !peers.Spec.PublishNotReadyAddresses,
		"the set's service %q must be there, headless, and publish addresses that are not ready", m.set.Spec.ServiceName)
	bad(len(m.services) < 2, "a service for clients is missing")
	bad(len(pod.Spec.Containers) != 1, "%d containers", len(pod.Spec.Containers))
	if len(all) > 0 {
		return all
	}
	c := pod.Spec.Containers[0]
	ports := map[string]core.ContainerPort{}
	for _, p := range c.Ports {
		ports[p.Name] = p
	}
	for name, s := range m.services {
		bad(!selects(s.Spec.Selector), "service %s selects no pod", name)
		for _, p := range s.Spec.Ports {
			to, found := ports[p.TargetPort.StrVal]
			bad(!found || to.ContainerPort != p.Port || cmp.Or(to.Protocol, core.ProtocolTCP) != cmp.Or(p.Protocol, core.ProtocolTCP), "port %s of service %s leads nowhere", p.Name, name)
		}
	}
	bad(!selects(m.set.Spec.Selector.MatchLabels), "the set selects no pod")
	bad(m.budget.Spec.Selector == nil || !selects(m.budget.Spec.Selector.MatchLabels), "the budget selects no pod")
	bad(m.budget.Spec.MaxUnavailable == nil || *m.budget.Spec.MaxUnavailable != intstr.FromInt32(1), "the budget must let one pod go")
	for name, probe := range map[string]*core.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		path := "/healthz"
		if name == "readiness" {
			path = "/readyz"
		}
		bad(probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != "http", "the %s probe must ask %s", name, path)
	}
	bad(c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero(), "resources are missing")
	return append(all, m.storage(c)...)
}

// storage checks volumes, secrets and the time to stop.
func (m manifests) storage(c core.Container) (all []string) {
	bad := func(cond bool, format string, args ...any) {
		if cond {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	pod := m.set.Spec.Template.Spec
	volumes := map[string]bool{}
	secretFile := ""
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if v.Secret != nil && len(v.Secret.Items) == 1 {
			secretFile = "/" + v.Secret.Items[0].Path
		}
	}
	for _, v := range m.set.Spec.VolumeClaimTemplates {
		volumes[v.Name] = true
	}
	at := map[string]string{}
	for _, mount := range c.VolumeMounts {
		bad(!volumes[mount.Name], "there is no volume %s", mount.Name)
		at[mount.Name] = mount.MountPath
	}
	env := map[string]core.EnvVar{}
	for _, e := range c.Env {
		bad(e.Value == "" && e.ValueFrom == nil, "%s has no value", e.Name)
		env[e.Name] = e
	}
	bad(at["data"] == "" || env["PINOCCHIO_DATA"].Value != at["data"], "PINOCCHIO_DATA must be where the volume is")
	bad(secretFile == "" || env["PINOCCHIO_SECRET_FILE"].Value != at["secret"]+secretFile, "PINOCCHIO_SECRET_FILE must be where the secret is")
	store := env["PINOCCHIO_STORE"].ValueFrom
	bad(store == nil || store.SecretKeyRef == nil, "PINOCCHIO_STORE must come from a secret")
	join, _, _ := strings.Cut(env["PINOCCHIO_JOIN"].Value, ":")
	bad(join != m.set.Spec.ServiceName, "PINOCCHIO_JOIN must name the headless service")
	// The default of --drain-timeout, the delay of this manifest, and 20 s in which the API and the node end.
	bad(pod.TerminationGracePeriodSeconds == nil || *pod.TerminationGracePeriodSeconds < 15+5+20, "the time to stop is too short")
	return all
}

func TestManifests_AreWhatKubernetesKnowsAndFitTogether(t *testing.T) {
	text, err := os.ReadFile("../pinocchio.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range m.faults() {
		t.Error(fault)
	}
	t.Logf("services %v", slices.Sorted(maps.Keys(m.services)))
	// The check notices each of these.
	for _, c := range [][2]string{
		{"replicas: 3", "replica: 3"},
		{"replicas: 3", "replicas: three"},
		{"kind: StatefulSet", "kind: Deployment"},
		{"publishNotReadyAddresses: true", "publishNotReadyAddresses: false"},
		{"clusterIP: None", "clusterIP: 10.0.0.1"},
		{"serviceName: pinocchio-peers", "serviceName: others"},
		{"maxUnavailable: 1", "maxUnavailable: 2"},
		{"path: /readyz", "path: /ready"},
		{"targetPort: peer}", "targetPort: peers}"},
		{"containerPort: 7946, protocol: UDP", "containerPort: 7946, protocol: TCP"},
		{"mountPath: /data", "mountPath: /elsewhere"},
		{"{name: data, mountPath", "{name: date, mountPath"},
		{"value: /etc/pinocchio/secret", "value: /etc/secret"},
		{"value: pinocchio-peers:7946", "value: pinocchio:7946"},
		{"terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 30"},
		{"limits: {memory: 2Gi}", "limits: {}"},
		{"selector: {app.kubernetes.io/name: pinocchio}", "selector: {app.kubernetes.io/name: other}"},
	} {
		changed := bytes.Replace(text, []byte(c[0]), []byte(c[1]), 1)
		if bytes.Equal(changed, text) {
			t.Errorf("%q does not stand in the file", c[0])
		}
		if m, err := read(changed); err == nil && len(m.faults()) == 0 {
			t.Errorf("the check does not notice %q", c[1])
		}
	}
}
