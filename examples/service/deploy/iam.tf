# The service's role, which may read its two secrets and nothing else.
#
#   terraform apply -var cluster=main -var pod_identity=true
#
# The policies are JSON files beside this one, so that they can also be pasted.

variable "cluster" {
  description = "name of the EKS cluster"
  type        = string
}

variable "pod_identity" {
  description = "true for EKS Pod Identity, false for IRSA"
  type        = bool
  default     = false
}

variable "db_secret" {
  description = "name of the database secret: DB_SECRET of the service"
  type        = string
  default     = "prod/db"
}

variable "api_key_secret" {
  description = "name of the secret with the API key: API_KEY_SECRET of the service"
  type        = string
  default     = "prod/rates-key"
}

variable "kms_key_arn" {
  description = "the key of the secrets, if it is one of your own"
  type        = string
  default     = null
}

locals {
  namespace       = "shop"
  service_account = "service"
  oidc_provider   = replace(data.aws_eks_cluster.this.identity[0].oidc[0].issuer, "https://", "")
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_eks_cluster" "this" {
  name = var.cluster
}

data "aws_secretsmanager_secret" "db" {
  name = var.db_secret
}

data "aws_secretsmanager_secret" "api_key" {
  name = var.api_key_secret
}

resource "aws_iam_role" "service" {
  name = "shop-service"
  assume_role_policy = var.pod_identity ? templatefile("${path.module}/trust-pod-identity.json", {
    cluster         = var.cluster
    namespace       = local.namespace
    service_account = local.service_account
    }) : templatefile("${path.module}/trust-irsa.json", {
    oidc_provider     = local.oidc_provider
    oidc_provider_arn = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:oidc-provider/${local.oidc_provider}"
    namespace         = local.namespace
    service_account   = local.service_account
  })
}

resource "aws_iam_role_policy" "secrets" {
  name = "read-secrets"
  role = aws_iam_role.service.id
  policy = templatefile("${path.module}/policy.json", {
    db_secret_arn      = data.aws_secretsmanager_secret.db.arn
    api_key_secret_arn = data.aws_secretsmanager_secret.api_key.arn
  })
}

resource "aws_iam_role_policy" "kms" {
  count = var.kms_key_arn == null ? 0 : 1
  name  = "decrypt-secrets"
  role  = aws_iam_role.service.id
  policy = templatefile("${path.module}/policy-kms.json", {
    kms_key_arn        = var.kms_key_arn
    db_secret_arn      = data.aws_secretsmanager_secret.db.arn
    api_key_secret_arn = data.aws_secretsmanager_secret.api_key.arn
  })
}

resource "aws_eks_pod_identity_association" "service" {
  count           = var.pod_identity ? 1 : 0
  cluster_name    = var.cluster
  namespace       = local.namespace
  service_account = local.service_account
  role_arn        = aws_iam_role.service.arn
}

output "role_arn" {
  value = aws_iam_role.service.arn
}
