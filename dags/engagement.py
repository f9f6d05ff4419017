"""# Hồ sơ lập kế hoạch kinh doanh

Mỗi hồ sơ là một lượt chạy; **Run ID là mã hồ sơ** (ví dụ `KHV-2026-0042`). Mở hồ sơ bằng `make open FILE=…`, hoặc bấm
*Trigger* và nhập mã của hồ sơ đã đăng ký.

| Giai đoạn | Ai cần làm gì |
|---|---|
| 1 Tiếp nhận | quyết định buổi gặp đầu; khách bổ sung mục còn trống |
| 2 Thông tin | khách trả lời thư và bảng câu hỏi; nhân viên thẩm tra: chấp nhận, yêu cầu bổ sung, từ chối |
| 3 Hợp đồng | họp quyết định; báo giá và thương lượng; ký hợp đồng |
| 4 Thực hiện | phòng dịch vụ nộp sản phẩm vào `inbox/<mã>/delivery` |
| 5 Thẩm định | từng thành viên hội đồng nộp phiếu; không đạt thì quay lại thực hiện, trừ vào thời gian dự trù |
| 6 Bàn giao | khách nghiệm thu hoặc yêu cầu chỉnh sửa |
| 7–8 Theo dõi, chăm sóc | lượt chạy riêng: `monitoring`, `feedback` |

Màu cam (*awaiting input*): chờ nhân viên, xem **Required Actions**. Màu tím (*deferred*): chờ khách hoặc phòng dịch vụ.
Khởi động lại (clear) một việc không gửi thư lần hai và không đổi quyết định đã ghi.
"""

from __future__ import annotations

from airflow.sdk import DAG, Label, Param, TaskGroup

from include.engagement import process
from operators.case import Step
from operators.client_request import ClientRequest
from operators.opening import OpenEngagement
from operators.schedule_run import ScheduleRun
from operators.settings import TASK_DEFAULTS
from operators.sign_off import SignOff

ANY_BRANCH = "none_failed_min_one_success"


def stage(key: str) -> TaskGroup:
    """Return the task group of a stage, named as the firm names it."""
    return TaskGroup(key, group_display_name=process.STAGES[key].title.vi, prefix_group_id=True)


def appraisal_round(number: int) -> tuple[TaskGroup, SignOff]:
    """Lay out a round of delivery and appraisal; its body is the same in every round."""
    with TaskGroup(f"round_{number}", group_display_name=f"Vòng {number}: thực hiện và thẩm định") as group:
        with stage("delivery"):
            deliver = ClientRequest(
                task_id="await_deliverables", kind="delivery", number=number,
                task_display_name="Chờ sản phẩm của phòng dịch vụ", trigger_rule=ANY_BRANCH,
            )  # fmt: skip
        with stage("appraisal"):
            score = SignOff.partial(
                task_id="score", gate="scorecard", number=number, task_display_name="Phiếu thẩm định",
            ).expand(who=[member.key for member in process.COUNCIL])  # fmt: skip
            last = number == process.APPRAISAL_ROUNDS + process.GRANTED_ROUNDS
            conclude = SignOff(
                task_id="conclude", gate="reserve_exhausted", number=number,
                task_display_name="Kết luận của hội đồng",
                routes={"pass": "handover.hand_over_1", "terminate": "terminate"}
                | ({} if last else {"rework": f"round_{number + 1}.delivery.await_deliverables"}),
            )  # fmt: skip
        deliver >> score >> conclude
    return group, conclude


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
            ClientRequest(
                task_id=f"request_information_{number}", kind="information", number=number,
                task_display_name="Yêu cầu thông tin" if number == 1 else f"Yêu cầu bổ sung lần {number - 1}",
            )
            for number in range(1, process.INFORMATION_ROUNDS + 1)
        ]  # fmt: skip
        reviews = [
            SignOff(
                task_id=f"review_information_{number}", gate="information_review", number=number,
                task_display_name="Thẩm tra thông tin" if number == 1 else f"Thẩm tra thông tin lần {number}",
                routes={"accept": "contract.decide", "refuse": "refuse"}
                | ({"ask_again": f"information.request_information_{number + 1}"}
                   if number < process.INFORMATION_ROUNDS else {}),
            )
            for number in range(1, process.INFORMATION_ROUNDS + 1)
        ]  # fmt: skip

    with stage("contract"):
        decide = SignOff(
            task_id="decide", gate="decision", task_display_name="Họp quyết định", trigger_rule=ANY_BRANCH,
            routes={"accept": "contract.draw_up_quote_1", "decline": "decline"},
        )  # fmt: skip
        quotes = [
            SignOff(
                task_id=f"draw_up_quote_{number}", gate="quote", number=number,
                task_display_name="Lập báo giá" if number == 1 else f"Báo giá sau thương lượng lần {number - 1}",
            )
            for number in range(1, process.QUOTE_ROUNDS + 1)
        ]  # fmt: skip
        negotiations = [
            ClientRequest(
                task_id=f"agree_quote_{number}", kind="quote", number=number,
                task_display_name="Khách trả lời báo giá" if number == 1 else f"Khách trả lời báo giá lần {number}",
                routes={"accept": "contract.sign_contract_1", "decline": "part"}
                | ({"negotiate": f"contract.draw_up_quote_{number + 1}"} if number < process.QUOTE_ROUNDS else {}),
            )
            for number in range(1, process.QUOTE_ROUNDS + 1)
        ]  # fmt: skip
        signatures = [
            ClientRequest(
                task_id=f"sign_contract_{number}", kind="contract", number=number, trigger_rule=ANY_BRANCH,
                task_display_name="Chờ hợp đồng đã ký" if number == 1 else "Chờ hợp đồng ký lại",
            )
            for number in range(1, process.SIGNATURE_ROUNDS + 1)
        ]  # fmt: skip
        signature_checks = [
            SignOff(
                task_id=f"check_signed_contract_{number}", gate="contract_check", number=number,
                task_display_name="Kiểm tra hợp đồng đã ký" if number == 1 else "Kiểm tra hợp đồng ký lại",
                routes={"accept": "round_1.delivery.await_deliverables"}
                | ({"ask_again": f"contract.sign_contract_{number + 1}"} if number < process.SIGNATURE_ROUNDS else {}),
            )
            for number in range(1, process.SIGNATURE_ROUNDS + 1)
        ]  # fmt: skip

    rounds = [appraisal_round(number) for number in range(1, process.APPRAISAL_ROUNDS + process.GRANTED_ROUNDS + 1)]

    with stage("handover"):
        handovers = [
            ClientRequest(
                task_id=f"hand_over_{number}", kind="handover", number=number,
                trigger_rule=ANY_BRANCH,
                task_display_name="Bàn giao" if number == 1 else f"Bàn giao lại lần {number - 1}",
                routes={"accept": "handover.conclude"}
                | ({"changes": f"handover.make_changes_{number}"} if number < process.HANDOVER_ROUNDS else {}),
            )
            for number in range(1, process.HANDOVER_ROUNDS + 1)
        ]  # fmt: skip
        changes = [
            SignOff(
                task_id=f"make_changes_{number}", gate="handover_changes", number=number,
                task_display_name=f"Chỉnh sửa theo yêu cầu lần {number}",
            )
            for number in range(1, process.HANDOVER_ROUNDS)
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
    for request, review in zip(requests, reviews):
        request >> review >> Label("chấp nhận") >> decide
        review >> Label("từ chối") >> refuse
    for review, again in zip(reviews, requests[1:]):
        review >> Label("yêu cầu bổ sung") >> again

    decide >> Label("nhận") >> quotes[0]
    decide >> Label("không nhận") >> decline
    for quote, negotiation in zip(quotes, negotiations):
        quote >> negotiation >> Label("đồng ý") >> signatures[0]
        negotiation >> Label("không đồng ý") >> part
    for negotiation, next_quote in zip(negotiations, quotes[1:]):
        negotiation >> Label("thương lượng") >> next_quote
    for signature, check in zip(signatures, signature_checks):
        signature >> check >> Label("hợp lệ") >> rounds[0][0]
    for check, again in zip(signature_checks, signatures[1:]):
        check >> Label("ký lại") >> again

    for _, conclude in rounds:
        conclude >> Label("đạt") >> handovers[0]
        conclude >> Label("chấm dứt") >> terminate
    for (_, conclude), (next_round, _) in zip(rounds, rounds[1:]):
        conclude >> Label("không đạt: làm lại trong thời gian dự trù") >> next_round

    for handover in handovers:
        handover >> Label("nghiệm thu") >> settle
    for handover, change, next_handover in zip(handovers, changes, handovers[1:]):
        handover >> Label("yêu cầu chỉnh sửa") >> change >> next_handover
    settle >> [monitor, care]
