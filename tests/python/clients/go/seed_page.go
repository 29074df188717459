// The work of the page that tells how to move to workspaces, with the vendor's Go client of 2018-05-01.
//
// `make` creates everything and runs a job, `end` gets everything and deletes it. Each step prints a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/services/batchai/mgmt/2018-05-01/batchai"
	"github.com/Azure/go-autorest/autorest"
	"github.com/Azure/go-autorest/autorest/azure"
	"github.com/Azure/go-autorest/autorest/to"
)

type seen map[string]interface{}

// What is to be worked on, from the environment.
func yard(name string) string {
	return os.Getenv("YARD_" + name)
}

var (
	ctx                                  = context.Background()
	group, workspace, experiment         = yard("GROUP"), yard("WORKSPACE"), yard("EXPERIMENT")
	clusterName, fileServerName, jobName = yard("CLUSTER"), yard("FILE_SERVER"), yard("JOB")
	workspaces                           = batchai.NewWorkspacesClientWithBaseURI(yard("URL"), yard("SUBSCRIPTION"))
	experiments                          = batchai.NewExperimentsClientWithBaseURI(yard("URL"), yard("SUBSCRIPTION"))
	clusters                             = batchai.NewClustersClientWithBaseURI(yard("URL"), yard("SUBSCRIPTION"))
	fileServers                          = batchai.NewFileServersClientWithBaseURI(yard("URL"), yard("SUBSCRIPTION"))
	jobs                                 = batchai.NewJobsClientWithBaseURI(yard("URL"), yard("SUBSCRIPTION"))
)

// Every client gets the token. Retry-After decides how often it polls; where there is none, PollingDelay does.
func signIn() {
	bearer := autorest.NewBearerAuthorizer(token(yard("TOKEN")))
	for _, client := range []*autorest.Client{
		&workspaces.Client, &experiments.Client, &clusters.Client, &fileServers.Client, &jobs.Client,
	} {
		client.Authorizer = bearer
		client.PollingDelay = time.Second
	}
}

type token string

func (t token) OAuthToken() string { return string(t) }

func say(did string, what seen) {
	what["did"] = did
	line, err := json.Marshal(what)
	check(err)
	fmt.Println(string(line))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Says how a call was refused; it is an error if it was not.
func refused(did string, err error) {
	if err == nil {
		check(fmt.Errorf("%s: not refused", did))
	}
	what := seen{"message": err.Error()}
	var detailed autorest.DetailedError
	if errors.As(err, &detailed) {
		what["status"] = detailed.StatusCode
		err = detailed.Original
	}
	switch cause := err.(type) {
	case *azure.RequestError:
		what["code"] = cause.ServiceError.Code
	case *azure.ServiceError:
		what["code"] = cause.Code
	}
	say(did, what)
}

func account() *batchai.UserAccountSettings {
	return &batchai.UserAccountSettings{
		AdminUserName:     to.StringPtr("yard"),
		AdminUserPassword: to.StringPtr(yard("PASSWORD")),
	}
}

func clusterParameters() batchai.ClusterCreateParameters {
	share := batchai.AzureFileShareReference{
		AccountName:       to.StringPtr(yard("ACCOUNT")),
		AzureFileURL:      to.StringPtr("https://" + yard("ACCOUNT") + ".file.core.windows.net/files"),
		Credentials:       &batchai.AzureStorageCredentialsInfo{AccountKey: to.StringPtr(yard("ACCOUNT_KEY"))},
		RelativeMountPath: to.StringPtr("files"),
	}
	return batchai.ClusterCreateParameters{ClusterBaseProperties: &batchai.ClusterBaseProperties{
		VMSize:              to.StringPtr("STANDARD_D1"),
		UserAccountSettings: account(),
		ScaleSettings:       &batchai.ScaleSettings{Manual: &batchai.ManualScaleSettings{TargetNodeCount: to.Int32Ptr(1)}},
		NodeSetup: &batchai.NodeSetup{
			MountVolumes: &batchai.MountVolumes{AzureFileShares: &[]batchai.AzureFileShareReference{share}},
		},
	}}
}

func fileServerParameters(disks batchai.StorageAccountType) batchai.FileServerCreateParameters {
	return batchai.FileServerCreateParameters{FileServerBaseProperties: &batchai.FileServerBaseProperties{
		VMSize:           to.StringPtr("STANDARD_D1"),
		SSHConfiguration: &batchai.SSHConfiguration{UserAccountSettings: account()},
		DataDisks: &batchai.DataDisks{
			DiskSizeInGB:       to.Int32Ptr(10),
			DiskCount:          to.Int32Ptr(2),
			StorageAccountType: disks,
		},
	}}
}

func jobParameters(clusterID *string) batchai.JobCreateParameters {
	return batchai.JobCreateParameters{JobBaseProperties: &batchai.JobBaseProperties{
		Cluster:               &batchai.ResourceID{ID: clusterID},
		NodeCount:             to.Int32Ptr(1),
		StdOutErrPathPrefix:   to.StringPtr("$AZ_BATCHAI_MOUNT_ROOT/files"),
		CustomToolkitSettings: &batchai.CustomToolkitSettings{CommandLine: to.StringPtr(yard("COMMAND"))},
		Constraints:           &batchai.JobBasePropertiesConstraints{MaxWallClockTime: to.StringPtr("PT5M")},
	}}
}

// The job once it has ended.
func pollJob() batchai.Job {
	for looks := 0; looks < 300; looks++ {
		job, err := jobs.Get(ctx, group, workspace, experiment, jobName)
		check(err)
		if job.ExecutionState == batchai.Succeeded || job.ExecutionState == batchai.Failed {
			return job
		}
		time.Sleep(200 * time.Millisecond)
	}
	check(errors.New("the job does not end"))
	return batchai.Job{}
}

func download(url string) string {
	answer, err := http.Get(url)
	check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	check(err)
	return string(text)
}

func sayCluster(cluster batchai.Cluster) {
	say("cluster", seen{"id": cluster.ID, "state": cluster.ProvisioningState, "vm_size": cluster.VMSize})
}

func sayFileServer(server batchai.FileServer) {
	say("file server", seen{"id": server.ID, "state": server.ProvisioningState, "at": server.MountSettings.MountPoint})
}

func sayJob(job batchai.Job) {
	say("job", seen{"id": job.ID, "state": job.ProvisioningState, "tool": job.ToolType})
}

func createFileServer(name string, disks batchai.StorageAccountType) (batchai.FileServer, error) {
	future, err := fileServers.Create(ctx, group, workspace, name, fileServerParameters(disks))
	if err != nil {
		return batchai.FileServer{}, err
	}
	if err := future.WaitForCompletionRef(ctx, fileServers.Client); err != nil {
		return batchai.FileServer{}, err
	}
	return future.Result(fileServers)
}

func makeAll() {
	region := batchai.WorkspaceCreateParameters{Location: to.StringPtr(yard("LOCATION"))}
	making, err := workspaces.Create(ctx, group, workspace, region)
	check(err)
	check(making.WaitForCompletionRef(ctx, workspaces.Client))
	made, err := making.Result(workspaces)
	check(err)
	say("workspace", seen{"id": made.ID, "state": made.ProvisioningState, "location": made.Location})

	starting, err := experiments.Create(ctx, group, workspace, experiment)
	check(err)
	check(starting.WaitForCompletionRef(ctx, experiments.Client))
	started, err := starting.Result(experiments)
	check(err)
	say("experiment", seen{"id": started.ID, "state": started.ProvisioningState})

	allocating, err := clusters.Create(ctx, group, workspace, clusterName, clusterParameters())
	check(err)
	check(allocating.WaitForCompletionRef(ctx, clusters.Client))
	cluster, err := allocating.Result(clusters)
	check(err)
	sayCluster(cluster)

	server, err := createFileServer(fileServerName, batchai.StandardLRS)
	check(err)
	sayFileServer(server)

	submitting, err := jobs.Create(ctx, group, workspace, experiment, jobName, jobParameters(cluster.ID))
	check(err)
	check(submitting.WaitForCompletionRef(ctx, jobs.Client))
	job, err := submitting.Result(jobs)
	check(err)
	sayJob(job)
	job = pollJob()
	say("job ended", seen{"state": job.ExecutionState, "exit_code": job.ExecutionInfo.ExitCode})

	files := map[string]string{}
	listed, err := jobs.ListOutputFilesComplete(ctx, group, workspace, experiment, jobName, "stdouterr", "", nil, nil)
	for ; err == nil && listed.NotDone(); err = listed.NextWithContext(ctx) {
		files[to.String(listed.Value().Name)] = to.String(listed.Value().DownloadURL)
	}
	check(err)
	names := []string{}
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	say("output", seen{"files": names, "text": download(files["stdout.txt"])})

	_, err = jobs.Get(ctx, group, workspace, experiment, "nothing")
	refused("missing", err)
	_, err = createFileServer("premium", batchai.PremiumLRS)
	refused("failed", err)
}

func endAll() {
	cluster, err := clusters.Get(ctx, group, workspace, clusterName)
	check(err)
	sayCluster(cluster)
	server, err := fileServers.Get(ctx, group, workspace, fileServerName)
	check(err)
	sayFileServer(server)
	job, err := jobs.Get(ctx, group, workspace, experiment, jobName)
	check(err)
	sayJob(job)

	ofJob, err := jobs.Delete(ctx, group, workspace, experiment, jobName)
	check(err)
	check(ofJob.WaitForCompletionRef(ctx, jobs.Client))
	_, err = jobs.Get(ctx, group, workspace, experiment, jobName)
	refused("job gone", err)
	ofCluster, err := clusters.Delete(ctx, group, workspace, clusterName)
	check(err)
	check(ofCluster.WaitForCompletionRef(ctx, clusters.Client))
	_, err = clusters.Get(ctx, group, workspace, clusterName)
	refused("cluster gone", err)
	ofServer, err := fileServers.Delete(ctx, group, workspace, fileServerName)
	check(err)
	check(ofServer.WaitForCompletionRef(ctx, fileServers.Client))
	_, err = fileServers.Get(ctx, group, workspace, fileServerName)
	refused("file server gone", err)
}

func main() {
	signIn()
	switch strings.Join(os.Args[1:], " ") {
	case "make":
		makeAll()
	case "end":
		endAll()
	default:
		check(errors.New("make or end?"))
	}
}
