// Waiting for the API server, by asking it. Called by both launchers; decides nothing about what comes after.

package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	startTimeout = 3 * time.Minute // a laden CI machine with two cores needs one at worst
	askEvery     = 50 * time.Millisecond
)

// WaitReady returns when the API server says it is ready and has the namespace `default`, which it makes a moment
// later and nearly everyone wants.
func (c *Cluster) WaitReady(ctx context.Context, port int) error {
	client, err := c.adminClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, path := range []string{"/readyz", "/api/v1/namespaces/default"} {
		if err := waitOK(ctx, client, serverURL(port)+path); err != nil {
			return fmt.Errorf("the API server did not become ready (its log is %s): %w", c.LogFile(), err)
		}
	}
	return nil
}

func waitOK(ctx context.Context, client *http.Client, url string) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		last := askOK(ctx, client, url)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}

func askOK(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

func (c *Cluster) adminClient() (*http.Client, error) {
	pair, err := tls.X509KeyPair(c.admin.Certificate, c.admin.Key)
	if err != nil {
		return nil, fmt.Errorf("use the certificate of the administrator: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.authority.certificate)
	return &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
		},
	}, nil
}
