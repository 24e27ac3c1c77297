#include "server/mixture_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "core/store/sqlite_metadata_store.h"
#include "modelpatch/v1/inference_service.pb.h"
#include "tests/support/fakes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace modelpatch::server {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using ::testing::HasSubstr;

class MixtureResolverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(store_, store::OpenSqliteMetadataStore(scratch_.Path("metadata.db")));
    ASSERT_OK(store_->InsertModel({"m", "model-digest", "{}", clock_.Now()}));
    ASSERT_OK(store_->InsertCheckpoint({"c", "m", "blob-c", "{}", "", clock_.Now()}));
    ASSERT_OK(store_->InsertCheckpoint({"d", "m", "blob-d", "{}", "", clock_.Now()}));
    resolver_ = std::make_unique<MixtureResolver>(*store_, "/models");
    AddVersion(0.4, 0.25);
    AddVersion(0.8, 0.5);
  }

  void AddVersion(double of_c, double of_d, bool allow_extrapolation = false) {
    store::PatchVersionRecord version;
    version.patch_id = "p";
    version.model_id = "m";
    version.terms = {{"d", "blob-d", of_d}, {"c", "blob-c", of_c}};
    version.allow_extrapolation = allow_extrapolation;
    version.create_time = clock_.Now();
    ASSERT_OK(store_->CreatePatchVersion(version));
  }

  const testing::ScratchDirectory scratch_;
  testing::FakeClock clock_;
  std::unique_ptr<store::MetadataStore> store_;
  std::unique_ptr<MixtureResolver> resolver_;
};

TEST_F(MixtureResolverTest, AMixtureComesWithItsDigests) {
  v1::Mixture mixture;
  auto* term = mixture.add_terms();
  term->set_checkpoint("checkpoints/c");
  term->set_coefficient(0.5);
  ASSERT_OK_AND_ASSIGN(const Resolution resolution, resolver_->Resolve(mixture));
  EXPECT_EQ(resolution.message.model(), "models/m");
  EXPECT_EQ(resolution.weights.model_digest(), "model-digest");
  ASSERT_EQ(resolution.weights.terms_size(), 1);
  EXPECT_EQ(resolution.weights.terms(0).checkpoint(), "checkpoints/c");
  EXPECT_EQ(resolution.weights.terms(0).blob_digest(), "blob-c");
  EXPECT_EQ(resolution.weights.terms(0).coefficient(), 0.5);
  EXPECT_EQ(resolution.weights.patch(), "");
}

TEST_F(MixtureResolverTest, APatchIsTheMixtureOfItsVersion) {
  ASSERT_OK_AND_ASSIGN(const Resolution newest, resolver_->ResolvePatch("patches/p", std::nullopt));
  EXPECT_EQ(newest.weights.patch(), "patches/p@2");
  EXPECT_EQ(newest.weights.model_digest(), "model-digest");
  EXPECT_EQ(newest.mixture.model_directory, "/models/model-digest");
  EXPECT_EQ(newest.message.model(), "models/m");
  ASSERT_EQ(newest.mixture.terms.size(), 2u);
  EXPECT_EQ(newest.mixture.terms[0].blob, "blob-d");
  EXPECT_EQ(newest.mixture.terms[0].coefficient, 0.5);
  EXPECT_EQ(newest.message.terms(1).checkpoint(), "checkpoints/c");
  EXPECT_EQ(newest.weights.terms(1).blob_digest(), "blob-c");
  EXPECT_EQ(newest.weights.terms(1).coefficient(), 0.8);
  ASSERT_OK_AND_ASSIGN(const Resolution first, resolver_->ResolvePatch("patches/p@1", std::nullopt));
  EXPECT_EQ(first.weights.patch(), "patches/p@1");
  EXPECT_EQ(first.mixture.terms[0].coefficient, 0.25);
}

TEST_F(MixtureResolverTest, AlphaScalesAPatch) {
  ASSERT_OK_AND_ASSIGN(const Resolution half, resolver_->ResolvePatch("patches/p", 0.5));
  EXPECT_EQ(half.mixture.terms[0].coefficient, 0.25);
  EXPECT_EQ(half.message.terms(1).coefficient(), 0.4);
  EXPECT_EQ(half.weights.terms(1).coefficient(), 0.4);
  EXPECT_OK(resolver_->ResolvePatch("patches/p", 0.0));
  EXPECT_OK(resolver_->ResolvePatch("patches/p", 1.25));  // 0.8 becomes 1
  const double bad[] = {1.5, -0.5, 1e308};
  for (const double alpha : bad) {
    const auto refused = resolver_->ResolvePatch("patches/p", alpha);
    EXPECT_THAT(refused, FailsWith(StatusCode::kInvalidArgument, "BAD_COEFFICIENT")) << alpha;
    EXPECT_EQ(base::FieldOf(refused.status()), "alpha");
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("patches/p@2"));
  }
  for (const double alpha : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(resolver_->ResolvePatch("patches/p", alpha), FailsWith(StatusCode::kInvalidArgument, "BAD_ALPHA"));
  }
  AddVersion(0.8, 0.5, /*allow_extrapolation=*/true);
  EXPECT_OK(resolver_->ResolvePatch("patches/p@3", -0.5));
}

TEST_F(MixtureResolverTest, ARequestNamesAMixtureOrAPatch) {
  v1::ClassifyRequest request;
  const auto expect = [&](StatusCode code, const char* reason, const char* field) {
    const auto resolution = resolver_->ResolveRequest(request);
    EXPECT_THAT(resolution, FailsWith(code, reason));
    EXPECT_EQ(base::FieldOf(resolution.status()), field);
  };
  expect(StatusCode::kInvalidArgument, "MIXTURE_WITHOUT_MODEL", "mixture.model");
  request.set_alpha(0.5);
  expect(StatusCode::kInvalidArgument, "ALPHA_WITHOUT_PATCH", "alpha");
  request.set_patch("patches/p");
  EXPECT_OK(resolver_->ResolveRequest(request));
  request.set_alpha(2);
  expect(StatusCode::kInvalidArgument, "BAD_COEFFICIENT", "alpha");
  request.clear_alpha();
  for (const auto& [name, reason] : {std::pair("patches/q", "PATCH_NOT_FOUND"),
                                     {"patches/p@3", "PATCH_VERSION_NOT_FOUND"},
                                     {"patches/p@production", "PATCH_ALIAS_NOT_FOUND"}}) {
    request.set_patch(name);
    expect(StatusCode::kNotFound, reason, "patch");
  }
  request.set_patch("p");
  expect(StatusCode::kInvalidArgument, "BAD_RESOURCE_NAME", "patch");
  request.mutable_mixture()->set_model("models/m");
  expect(StatusCode::kInvalidArgument, "MIXTURE_AND_PATCH", "patch");
  request.clear_patch();
  EXPECT_OK(resolver_->ResolveRequest(request));
  request.mutable_mixture()->set_model("models/unknown");
  expect(StatusCode::kNotFound, "MODEL_NOT_FOUND", "mixture.model");
}

}  // namespace
}  // namespace modelpatch::server
