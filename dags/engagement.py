"""# Hồ sơ lập kế hoạch kinh doanh

Mỗi hồ sơ là một lượt chạy; **Run ID là mã hồ sơ** (ví dụ `KHV-2026-0042`). Mở hồ sơ bằng `make open FILE=…`, hoặc bấm
*Trigger* và nhập mã của hồ sơ đã đăng ký.

| Giai đoạn | Ai cần làm gì |
|---|---|
| 1 Tiếp nhận | quyết định buổi gặp đầu; khách bổ sung mục còn trống |
| 2 Thông tin | khách trả lời thư và bảng câu hỏi; nhân viên thẩm tra: chấp nhận, yêu cầu bổ sung, từ chối |
| 3 Hợp đồng | họp quyết định; báo giá và thương lượng; khách ký, nhân viên kiểm tra hợp đồng đã ký |
| 4 Thực hiện | phòng dịch vụ nộp sản phẩm vào `inbox/<mã>/delivery` |
| 5 Thẩm định | từng thành viên hội đồng nộp phiếu; không đạt thì quay lại thực hiện, trừ vào thời gian dự trù |
| 6 Bàn giao | khách nghiệm thu hoặc yêu cầu chỉnh sửa |
| 7–8 Theo dõi, chăm sóc | lượt chạy riêng: `monitoring`, `feedback` |

Màu cam (*awaiting input*): chờ nhân viên, xem **Required Actions**. Màu tím (*deferred*): chờ khách hoặc phòng dịch vụ.
Việc vừa có phần của khách vừa có phần của nhân viên là một ô, đổi màu khi đổi người phải làm.
Khởi động lại (clear) một việc không gửi thư lần hai và không đổi quyết định đã ghi.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from airflow.sdk import DAG, Param, TaskGroup

from include.engagement import process
from operators.case import Step
from operators.client_request import ClientRequest
from operators.conversation import OfferedRequest, ReviewedRequest
from operators.opening import OpenEngagement
from operators.schedule_run import ScheduleRun
from operators.settings import TASK_DEFAULTS
from operators.sign_off import SignOff

ANY_BRANCH = "none_failed_min_one_success"


def stage(key: str) -> TaskGroup:
    """Return the task group of a stage, named as the firm names it."""
    return TaskGroup(key, group_display_name=process.STAGES[key].title.vi, prefix_group_id=True)


class Round(NamedTuple):
    """Where a round of delivery and appraisal begins and ends."""

    deliver: ClientRequest
    conclude: SignOff


def appraisal_round(number: int) -> Round:
    """Lay out a round of delivery and appraisal; its body is the same in every round."""
    with TaskGroup(f"round_{number}", group_display_name=f"Vòng {number}: thực hiện và thẩm định"):
        with stage("delivery"):
            deliver = ClientRequest(
                task_id="await_deliverables", kind="delivery", number=number,
                task_display_name="Chờ sản phẩm của phòng dịch vụ", trigger_rule=ANY_BRANCH,
            )  # fmt: skip
        with stage("appraisal"):
            scores = [
                SignOff(
                    task_id=f"score_{member.key}", gate="scorecard", number=number, who=member.key,
                    task_display_name=f"Phiếu thẩm định: {member.title.vi}",
                )
                for member in process.COUNCIL
            ]  # fmt: skip
            conclude = SignOff(
                task_id="conclude", gate="reserve_exhausted", number=number,
                task_display_name="Kết luận của hội đồng",
            )  # fmt: skip
        deliver >> scores >> conclude
    return Round(deliver, conclude)


with DAG(
    "engagement",
    dag_display_name="Hồ sơ khách hàng",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=10_000,
    tags=["engagement", "khách hàng"],
    default_args=TASK_DEFAULTS,
    params={
        "engagement_id": Param(
            "", type="string", title="Mã hồ sơ", description="Mã của hồ sơ đã đăng ký, ví dụ KHV-2026-0042"
        )
    },
) as dag:
    with stage("intake"):
        receive = OpenEngagement(task_id="receive", task_display_name="Tiếp nhận nhu cầu")
        meet = SignOff(task_id="hold_first_meeting", gate="first_meeting", task_display_name="Buổi gặp mặt lần đầu")
        complete_intake = ClientRequest(
            task_id="complete_intake_form", kind="intake", task_display_name="Bổ sung mục còn trống"
        )
        receive >> [meet, complete_intake]

    with stage("information"):
        requests = [
            ReviewedRequest(
                task_id=f"collect_information_{number}", kind="information", gate="information_review", number=number,
                task_display_name="Thông tin: yêu cầu, thẩm tra" if number == 1 else
                                  f"Bổ sung lần {number - 1}: yêu cầu, thẩm tra",
            )
            for number in range(1, process.INFORMATION_ROUNDS + 1)
        ]  # fmt: skip

    with stage("contract"):
        decide = SignOff(
            task_id="decide", gate="decision", task_display_name="Họp quyết định", trigger_rule=ANY_BRANCH,
        )  # fmt: skip
        quotes = [
            OfferedRequest(
                task_id=f"negotiate_quote_{number}", gate="quote", kind="quote", number=number,
                task_display_name="Báo giá: lập, khách trả lời" if number == 1 else
                                  f"Báo giá sau thương lượng lần {number - 1}",
            )
            for number in range(1, process.QUOTE_ROUNDS + 1)
        ]  # fmt: skip
        signatures = [
            ReviewedRequest(
                task_id=f"conclude_contract_{number}", kind="contract", gate="contract_check", number=number,
                trigger_rule=ANY_BRANCH,
                task_display_name="Hợp đồng: khách ký, kiểm tra" if number == 1 else "Hợp đồng ký lại, kiểm tra",
            )
            for number in range(1, process.SIGNATURE_ROUNDS + 1)
        ]  # fmt: skip

    rounds = [appraisal_round(number) for number in range(1, process.APPRAISAL_ROUNDS + process.GRANTED_ROUNDS + 1)]

    with stage("handover"):
        handovers = [
            ReviewedRequest(
                task_id=f"accept_{number}", kind="handover", gate="handover_changes", reviewed="changes",
                number=number, trigger_rule=ANY_BRANCH,
                task_display_name="Bàn giao, nghiệm thu" if number == 1 else f"Bàn giao lại lần {number - 1}",
            )
            for number in range(1, process.HANDOVER_ROUNDS + 1)
        ]  # fmt: skip
        settle = Step(
            task_id="conclude", action="handover:conclude", task_display_name="Nghiệm thu, thanh lý",
            trigger_rule=ANY_BRANCH,
        )  # fmt: skip

    with stage("monitoring"):
        monitor = ScheduleRun(
            task_id="schedule_monitoring", trigger_dag_id="monitoring", task_display_name="Lên lịch theo dõi"
        )
    with stage("feedback"):
        care = ScheduleRun(
            task_id="schedule_feedback", trigger_dag_id="feedback", task_display_name="Lên lịch đánh giá, chăm sóc"
        )

    refuse = Step(
        task_id="refuse", action="information:refuse", task_display_name="Từ chối dịch vụ", trigger_rule=ANY_BRANCH
    )
    decline = Step(task_id="decline", action="contract:decline", task_display_name="Không nhận thực hiện")
    part = Step(
        task_id="part", action="contract:part", task_display_name="Khách không đồng ý báo giá", trigger_rule=ANY_BRANCH
    )
    terminate = Step(
        task_id="terminate", action="appraisal:terminate", task_display_name="Chấm dứt hợp đồng",
        trigger_rule=ANY_BRANCH,
    )  # fmt: skip

    [meet, complete_intake] >> requests[0]

    for request in requests:
        request.when("accept", "chấp nhận", decide)
        request.when("refuse", "từ chối", refuse)
    for request, request_again in pairwise(requests):
        request.when("ask_again", "yêu cầu bổ sung", request_again)

    decide.when("accept", "nhận thực hiện", quotes[0])
    decide.when("decline", "không nhận", decline)

    for quote in quotes:
        quote.when("accept", "đồng ý", signatures[0])
        quote.when("decline", "không đồng ý", part)
    for quote, next_quote in pairwise(quotes):
        quote.when("negotiate", "thương lượng", next_quote)

    for signature in signatures:
        signature.when("accept", "hợp lệ", rounds[0].deliver)
    for signature, sign_again in pairwise(signatures):
        signature.when("ask_again", "ký lại", sign_again)

    for this_round in rounds:
        this_round.conclude.when("pass", "đạt", handovers[0])
        this_round.conclude.when("terminate", "chấm dứt", terminate)
    for this_round, next_round in pairwise(rounds):
        this_round.conclude.when("rework", "không đạt: làm lại trong thời gian dự trù", next_round.deliver)

    for handover in handovers:
        handover.when("accept", "nghiệm thu", settle)
    for handover, next_handover in pairwise(handovers):
        handover.when("done", "đã chỉnh sửa", next_handover)

    settle >> [monitor, care]
