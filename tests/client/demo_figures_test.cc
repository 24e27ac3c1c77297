#include "client/cli/demo_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/cli/demo_text.h"

namespace modelpatch::client {
namespace {

v1::PatchJobResult Result() {
  v1::PatchJobResult result;
  result.set_alpha(0.6);
  for (const auto role : {v1::TASK_ROLE_SUPPORTED, v1::TASK_ROLE_PATCHING}) {
    v1::FinalAccuracy& accuracy = *result.add_final_accuracies();
    const bool patching = role == v1::TASK_ROLE_PATCHING;
    accuracy.set_role(role);
    accuracy.set_task(patching ? "tasks/digits" : "tasks/shapes");
    accuracy.mutable_zero_shot()->set_accuracy(patching ? 0.3 : 0.9);
    accuracy.mutable_patched()->set_accuracy(patching ? 0.7 : 0.895);
    accuracy.mutable_fine_tuned()->set_accuracy(patching ? 0.8 : 0.5);
  }
  return result;
}

TEST(DemoFiguresTest, JsonIsTheDocumentedOne) {
  auto figures = FiguresOf(Result());
  ASSERT_TRUE(figures.ok());
  figures->seconds = 61.5;
  v1::SweepPoint& point = figures->points.emplace_back();
  point.set_alpha(0.6);
  for (const auto role : {v1::TASK_ROLE_PATCHING, v1::TASK_ROLE_SUPPORTED}) {
    v1::TaskAccuracy& accuracy = *point.add_accuracies();
    accuracy.set_role(role);
    accuracy.set_accuracy(role == v1::TASK_ROLE_PATCHING ? 0.7 : 0.895);
  }
  EXPECT_EQ(nlohmann::json::parse(FiguresJson(*figures)), nlohmann::json::parse(R"({
    "alpha": 0.6, "seconds": 61.5,
    "patching_task": {"zero_shot": 0.3, "patched": 0.7, "fine_tuned": 0.8},
    "supported_task": {"zero_shot": 0.9, "patched": 0.895, "fine_tuned": 0.5},
    "points": [{"alpha": 0.6, "patching_task": 0.7, "supported_task": 0.895}]})"));
}

TEST(DemoFiguresTest, AnIncompleteResultIsAnError) {
  v1::PatchJobResult result = Result();
  result.mutable_final_accuracies()->RemoveLast();
  EXPECT_TRUE(absl::IsDataLoss(FiguresOf(result).status()));
}

TEST(DemoFiguresTest, WhatTheJobMeasuredIsNotMeasuredAgain) {
  auto figures = FiguresOf(Result());
  ASSERT_TRUE(figures.ok());
  const auto points = MeasuredPoints(*figures);
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[1].alpha(), 0.6);
  EXPECT_EQ(points[1].accuracies(0).accuracy(), 0.7);
  EXPECT_EQ(points[2].accuracies(1).accuracy(), 0.5);
  EXPECT_EQ(points[2].accuracies(1).task(), "tasks/shapes");
  EXPECT_THAT(AlphasBetween(points), ::testing::ElementsAre(0.2, 0.4, 0.8));
  figures->alpha = 1;
  EXPECT_EQ(MeasuredPoints(*figures).size(), 2u);
}

TEST(DemoTextTest, VerdictNamesGainAndCost) {
  const std::string text = VerdictText(*FiguresOf(Result()), 0.5);
  EXPECT_THAT(text, ::testing::HasSubstr("digits changes by +40.0 points and shapes by -0.5"));
  EXPECT_THAT(text, ::testing::HasSubstr("-40.0"));
}

}  // namespace
}  // namespace modelpatch::client
