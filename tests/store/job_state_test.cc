#include "core/store/job_state.h"

#include <set>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"

namespace modelpatch::store {
namespace {

using testing::FailsWith;

const std::vector<JobState> kJobStates = {JobState::kQueued,  JobState::kRunning,    JobState::kSucceeded,
                                          JobState::kFailed,  JobState::kCancelling, JobState::kCancelled,
                                          JobState::kPausing, JobState::kPaused};
const std::vector<StepState> kStepStates = {StepState::kWaiting,   StepState::kQueued, StepState::kRunning,
                                            StepState::kSucceeded, StepState::kFailed, StepState::kCancelled};

template <typename State>
void CheckTable(const std::vector<State>& states, const std::set<std::pair<State, State>>& legal) {
  for (const State from : states) {
    for (const State to : states) {
      SCOPED_TRACE(ToString(from) + " to " + ToString(to));
      if (legal.count({from, to}) != 0) {
        EXPECT_OK(CheckTransition(from, to));
      } else {
        EXPECT_THAT(CheckTransition(from, to), FailsWith(absl::StatusCode::kFailedPrecondition, "ILLEGAL_TRANSITION"));
      }
    }
  }
}

TEST(JobStateTest, JobsFollowTheDesign) {
  using enum JobState;
  CheckTable<JobState>(kJobStates, {{kQueued, kRunning},
                                    {kQueued, kCancelled},
                                    {kRunning, kSucceeded},
                                    {kRunning, kFailed},
                                    {kRunning, kCancelling},
                                    {kCancelling, kCancelled},
                                    // An unfinished record may be written again as it is.
                                    {kQueued, kQueued},
                                    {kRunning, kRunning},
                                    {kCancelling, kCancelling},
                                    {kPausing, kPausing},
                                    {kPaused, kPaused}});
}

TEST(JobStateTest, StepsFollowTheDesign) {
  using enum StepState;
  CheckTable<StepState>(kStepStates, {{kWaiting, kQueued},
                                      {kWaiting, kCancelled},
                                      {kQueued, kRunning},
                                      {kQueued, kFailed},
                                      {kQueued, kCancelled},
                                      {kRunning, kQueued},
                                      {kRunning, kSucceeded},
                                      {kRunning, kFailed},
                                      {kRunning, kCancelled},
                                      {kWaiting, kWaiting},
                                      {kQueued, kQueued},
                                      {kRunning, kRunning}});
}

TEST(JobStateTest, NamesGoThereAndBack) {
  for (const JobState state : kJobStates) {
    ASSERT_OK_AND_ASSIGN(const JobState parsed, ParseJobState(ToString(state)));
    EXPECT_EQ(parsed, state);
  }
  for (const StepState state : kStepStates) {
    ASSERT_OK_AND_ASSIGN(const StepState parsed, ParseStepState(ToString(state)));
    EXPECT_EQ(parsed, state);
  }
  EXPECT_THAT(ParseJobState("queued"), FailsWith(absl::StatusCode::kDataLoss, "UNKNOWN_STATE"));
  EXPECT_THAT(ParseStepState("PAUSED"), FailsWith(absl::StatusCode::kDataLoss, "UNKNOWN_STATE"));
}

}  // namespace
}  // namespace modelpatch::store
