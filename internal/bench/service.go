package main

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// service answers every name with a secret of its own, after a while.
type service struct {
	latency time.Duration
	value   string

	gets, describes, batches atomic.Int64
}

const login = `{"username":"app","password":"correct horse battery staple","host":"db.example.com","dbname":"orders","engine":"postgres","port":5432}`

// Login is the struct of five strings and an int that typed reads are measured with.
type Login struct {
	Username, Password, Host, DBName, Engine string
	Port                                     int
}

const (
	prefix  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
	version = "3f6c1d0e-8a52-4b7e-9d1f-2c5b7a9e4d10"
)

func arnOf(id string) (arn, name string) {
	name = strings.TrimSuffix(strings.TrimPrefix(id, prefix), "-AbCdEf")
	return prefix + name + "-AbCdEf", strings.Clone(name)
}

func (s *service) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	s.gets.Add(1)
	time.Sleep(s.latency)
	arn, name := arnOf(*in.SecretId)
	id, value := strings.Clone(version), strings.Clone(s.value)
	return &secretsmanager.GetSecretValueOutput{ARN: &arn, Name: &name, VersionId: &id, VersionStages: []string{"AWSCURRENT"}, SecretString: &value}, nil
}

func (s *service) DescribeSecret(_ context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	s.describes.Add(1)
	time.Sleep(s.latency)
	arn, name := arnOf(*in.SecretId)
	return &secretsmanager.DescribeSecretOutput{ARN: &arn, Name: &name, VersionIdsToStages: map[string][]string{version: {"AWSCURRENT"}}}, nil
}

func (s *service) BatchGetSecretValue(_ context.Context, in *secretsmanager.BatchGetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.BatchGetSecretValueOutput, error) {
	s.batches.Add(1)
	time.Sleep(s.latency)
	out := &secretsmanager.BatchGetSecretValueOutput{}
	for _, id := range in.SecretIdList {
		arn, name := arnOf(id)
		v, value := strings.Clone(version), strings.Clone(s.value)
		out.SecretValues = append(out.SecretValues, types.SecretValueEntry{ARN: &arn, Name: &name, VersionId: &v, VersionStages: []string{"AWSCURRENT"}, SecretString: &value})
	}
	return out, nil
}
