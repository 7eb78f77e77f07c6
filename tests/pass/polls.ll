; SPDX-License-Identifier: Apache-2.0
; Which functions have a poll at their entry.  opt -load-pass-plugin=OptMigPass.so -passes=optmig -S
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

declare void @outside()
@table = global void ()* @address_taken

; Called from one place only, and never in a circle.
; CHECK-LABEL: define internal void @straight(
; CHECK-NOT: testb
; CHECK: ret void
define internal void @straight() {
  call void @outside()
  ret void
}

; CHECK-LABEL: define void @visible(
; CHECK-NEXT: call void asm sideeffect "testb %al, __optmig_poll_v2
define void @visible() {
  call void @straight()
  call void @straight()
  call void @itself()
  call void @one()
  ret void
}

; CHECK-LABEL: define internal void @address_taken(
; CHECK-NEXT: call void asm sideeffect "testb
define internal void @address_taken() {
  call void @outside()
  ret void
}

; CHECK-LABEL: define internal void @itself(
; CHECK-NEXT: call void asm sideeffect "testb
define internal void @itself() {
  call void @itself()
  ret void
}

; CHECK-LABEL: define internal void @one(
; CHECK-NEXT: call void asm sideeffect "testb
define internal void @one() {
  call void @other()
  ret void
}

; CHECK-LABEL: define internal void @other(
; CHECK-NEXT: call void asm sideeffect "testb
define internal void @other() {
  call void @one()
  ret void
}
