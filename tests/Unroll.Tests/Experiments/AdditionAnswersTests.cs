using Unroll.Data;
using Unroll.Experiments.Addition;
using Unroll.Layers;
using Unroll.Models;
using Unroll.Numerics;
using Unroll.Training;

namespace Unroll.Tests.Experiments;

/// <summary>What models of additions are given, how their answers are counted, and what remembering alone reaches.</summary>
public class AdditionAnswersTests
{
    static readonly AdditionForm s_form = new(2);

    static AdditionAnswer Answer(int a, int b, string text) => new(s_form.Ask(a, b), text, 1, default);

    static EncoderDecoder Model(AttentionOptions? attention = null, int outputs = 12)
    {
        var model = new EncoderDecoder(
            new EncoderDecoderOptions(1, [new OneHotOptions(12), new GruOptions(10)], [new OneHotOptions(outputs + 1), new GruOptions(10)], outputs, outputs) { Attention = attention },
            Kernels.Engine(Kernels.Chosen));
        Initialization.PyTorch.Apply(model, new MersenneTwister(3));
        return model;
    }

    [Fact]
    public void Answers_AreCountedAsAWhole_ByCharacter_AndByCarries()
    {
        var answers = new AdditionAnswers(
        [
            Answer(12, 34, "46 "), // right, no carry
            Answer(12, 34, "47 "), // 2 of 3 characters
            Answer(99, 1, "100"), // right, 2 carries
            Answer(5, 5, "0  "), // "10 ": 1 of 3, 1 carry
        ]);
        Assert.Equal(0.5, answers.ExactMatch);
        Assert.Equal((3 + 2 + 3 + 1) / 12.0, answers.CharacterAccuracy);
        Assert.Equal([(2, 1), (1, 0), (1, 1), (0, 0)], Enumerable.Range(0, 4).Select(answers.OfCarries));
    }

    [Fact]
    public void ConstantModel_IsRightWhereItsAnswerIs()
    {
        // Biases alone: '7' at every step.
        var model = Model();
        foreach (var parameter in model.Parameters.All)
            model.Parameters.ValuesOf(parameter).Clear();
        var readout = model.Parameters.All.Last(parameter => parameter.Role == ParameterRole.Bias);
        model.Parameters.ValuesOf(readout)[7] = 3;
        var answers = AdditionAnswers.Of(model, s_form, [s_form.Ask(70, 7), s_form.Ask(0, 1), s_form.Ask(99, 78)]);
        Assert.All(answers.All, answer => Assert.Equal("777", answer.Text));
        Assert.Equal([2, 0, 2], answers.All.Select(answer => answer.RightCharacters)); // 77_, 1__, 177
        Assert.Equal(0, answers.ExactMatch);
        Assert.Equal(4 / 9.0, answers.CharacterAccuracy);
        var each = Math.Exp(3) / (Math.Exp(3) + 11);
        Assert.All(answers.All, answer => Assert.Equal(each * each * each, answer.Probability, 1e-5));
        Assert.All(answers.All, answer => Assert.True(answer.Attention.IsEmpty));
    }

    [Fact]
    public void EachQuestion_IsAnsweredAsItIsAlone_InHoweverManyBlocks()
    {
        var model = Model(new AdditiveAttentionOptions(6));
        var questions = new AdditionData(s_form, new MersenneTwister(1), 600).Training;
        Assert.Equal(540, questions.Count);
        var answers = AdditionAnswers.Of(model, s_form, questions).All;
        Assert.Equal(questions, answers.Select(answer => answer.Question));
        foreach (var index in new[] { 0, 239, 240, 539 })
        {
            var alone = AdditionAnswers.Of(model, s_form, [questions[index]]).All[0];
            Assert.Equal((alone.Text, alone.Probability), (answers[index].Text, answers[index].Probability));
            Assert.Equal(alone.Attention.ToArray(), answers[index].Attention.ToArray());
        }

        // 3 characters of the answer look at 5 of the question each.
        for (var t = 0; t < 3; t++)
            Assert.Equal(1, answers[5].Attention.Span.Slice(5 * t, 5).ToArray().Sum(), 1e-5);
        Assert.Equal(15, answers[5].Attention.Length);
    }

    [Fact]
    public void Source_WritesQuestionsAndAnswersStepByStep()
    {
        AdditionQuestion[] questions = [s_form.Ask(12, 3), s_form.Ask(99, 1)];
        var source = new AdditionSource(s_form, questions);
        Assert.Equal((2, 5, 1, 0), (source.Count, source.MaxSteps, source.InputSize, source.TargetSize));
        var batch = new SequenceBatch(5, 2, 1, 0);
        source.Fill(batch, [1, 0]);
        Assert.Equal(
            new float[] { 9, 1, /**/ 9, 2, /**/ 10, 10, /**/ 1, 3, /**/ 11, 11 }, batch.Inputs.ToArray()); // "99+1 ", "12+3 "
        Assert.Equal([1, 1, /**/ 0, 5, /**/ 0, 11], batch.Labels.ToArray()); // "100", "15 "
    }

    [Fact]
    public void SwappedSource_GivesBothOrders_HalfTheTimeEach_AndOneAnswer()
    {
        var source = new AdditionSource(s_form, [s_form.Ask(12, 3)], new MersenneTwister(1));
        var batch = new SequenceBatch(5, 400, 1, 0);
        source.Fill(batch, new int[400]);
        var texts = Enumerable.Range(0, 400)
            .Select(b => AdditionData.Characters.DecodeText([.. Enumerable.Range(0, 5).Select(s => (int)batch.Inputs[(s * 400) + b])])).ToArray();
        Assert.Equal(["12+3 ", "3+12 "], texts.Distinct().Order());
        Assert.Equal(200, texts.Count(text => text == "3+12 "), 4 * Math.Sqrt(100.0));
        Assert.Equal(["15 "], Enumerable.Range(0, 400).Select(b => AdditionData.Characters.DecodeText([.. Enumerable.Range(0, 3).Select(t => batch.Labels[(t * 400) + b])])).Distinct());
    }

    [Fact]
    public void NearestQuestion_MayBeAMirror_AndTheFirstOfEquals()
    {
        AdditionQuestion[] training = [s_form.Ask(10, 20), s_form.Ask(50, 61), s_form.Ask(51, 60)];
        AdditionQuestion[] test =
        [
            s_form.Ask(19, 11), // 1 + 1 from 20+10, the mirror of the first: 30 is right
            s_form.Ask(50, 60), // 1 from both others: 111 is wrong
            s_form.Ask(62, 49), // 1 + 1 from 61+50: 111 is right
            s_form.Ask(0, 0), // 10 + 20 from the first: 30 is wrong
        ];
        Assert.Equal(0.5, NearestQuestion.ExactMatch(training, test));
        Assert.Equal(1, NearestQuestion.ExactMatch(training, training));
    }

    [Fact]
    public void WhatDoesNotFit_IsRefused()
    {
        Assert.Contains("12 characters of additions", Assert.Throws<ArgumentException>(() => AdditionAnswers.Of(Model(outputs: 11), s_form, [s_form.Ask(1, 2)])).Message, StringComparison.Ordinal);
        Assert.Contains("at least one", Assert.Throws<ArgumentException>(() => AdditionAnswers.Of(Model(), s_form, [])).Message, StringComparison.Ordinal);
        Assert.Contains("at least one", Assert.Throws<ArgumentException>(() => new AdditionSource(s_form, [])).Message, StringComparison.Ordinal);
    }
}
